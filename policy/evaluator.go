package policy

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/validators"
)

// The options of the two families, under different names so that one struct can
// embed both.
type (
	// ValidatorOptions are the options of validators.
	ValidatorOptions = validators.Config
	// JudgeOptions are the options of judges.
	JudgeOptions = judges.Config
)

// EvaluatorConfig is one entry of evaluators: the common options and those of its
// type. Options of other types stay zero.
type EvaluatorConfig struct {
	Name    string        `yaml:"name" doc:"Name on scores and in metrics; lower-case letters, digits and _."`
	Type    string        `yaml:"type" doc:"Kind of validator, or llm_judge."`
	Rate    *float64      `yaml:"rate" doc:"Probability with which an event is evaluated, 0 to 1; without one a validator always runs and a judge runs at sampling.default_rate."`
	When    string        `yaml:"when" doc:"Condition on the event; without one every event qualifies."`
	Timeout time.Duration `yaml:"timeout" doc:"Time for one evaluation, retries included; 0: only the limits of the model's calls."`

	ValidatorOptions `yaml:",inline"`
	JudgeOptions     `yaml:",inline"`
}

// Advice returns the new name of a key, or else the keys of the evaluator's type.
func (e EvaluatorConfig) Advice(key string) (renamed string, possible []string) {
	switch {
	case key == "policy":
		return "guideline", nil
	case !slices.Contains(Types(), e.Type):
		return "", nil
	}
	return "", append([]string{"name", "type", "rate", "when", "timeout"}, Options(e.Type)...)
}

// TypeJudge is the type of an evaluator that asks a model.
const TypeJudge = string(eval.TypeLLMJudge)

// Judge reports whether the evaluator asks a model.
func (e EvaluatorConfig) Judge() bool { return e.Type == TypeJudge }

// JudgeConfig returns the configuration of a judge.
func (e EvaluatorConfig) JudgeConfig() judges.Config {
	c := e.JudgeOptions
	c.Name = e.Name
	if c.Model == "" {
		c.Model = DefaultModel
	}
	return c
}

// ValidatorConfig returns the configuration of a validator.
func (e EvaluatorConfig) ValidatorConfig() validators.Config {
	c := e.ValidatorOptions
	c.Name, c.Type = e.Name, e.Type
	return c
}

// Deterministic returns evaluators for events about which nothing is known: those
// that need no model and no settings, and that fail only answers that are wrong in
// any application. Each is named after its type and returns not_applicable if an
// event lacks the field that it needs.
func Deterministic() []EvaluatorConfig {
	var out []EvaluatorConfig
	for _, kind := range []string{"json_schema", "tool_calls", "substance", "refusal", "pii", "secrets", "citations"} {
		out = append(out, EvaluatorConfig{Name: kind, Type: kind})
	}
	return out
}

var evaluatorName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// maxName bounds an evaluator's name, which becomes part of a metric's name.
const maxName = 64

// names lists the rubrics, schemas and models that evaluators may refer to.
type names struct {
	rubrics []string
	guided  []string // rubrics that need a guideline
	schemas []string
	models  []string
}

func (e EvaluatorConfig) validate(k names) fault.List {
	var fs fault.List
	switch {
	case e.Name == "": // the sampler reports it, and duplicate names too
	case len(e.Name) > maxName:
		fs.Add("name", fmt.Sprintf("%d bytes long", len(e.Name)), fmt.Sprintf("want at most %d", maxName))
	case !evaluatorName.MatchString(e.Name):
		fs.Add("name", fmt.Sprintf("%q is no name of an evaluator", e.Name), "want lower-case letters, digits and _, a letter first: it becomes part of a metric's name")
	}
	if e.Timeout < 0 {
		fs.Add("timeout", fmt.Sprintf("%v is below zero", e.Timeout), "want a duration such as 30s; 0 means no bound of its own")
	}
	switch {
	case e.Type == "":
		fs.Add("type", "missing", "want one of "+strings.Join(Types(), ", "))
		return fs
	case !slices.Contains(Types(), e.Type):
		fs.Add("type", fmt.Sprintf("unknown type %q", e.Type), fault.Suggest(e.Type, Types(), ""))
		return fs
	}
	allowed := Options(e.Type)
	for _, o := range optionFields() {
		if v := reflect.ValueOf(&e).Elem().FieldByIndex(o.Index); !slices.Contains(allowed, o.Key) && !v.IsZero() {
			fs = append(fs, notAnOption(o.Key, e.Type, allowed))
			v.SetZero() // so that it is reported once; e is a copy
		}
	}
	if e.Judge() {
		return append(fs, e.validateJudge(k)...)
	}
	fs = append(fs, e.ValidatorConfig().Validate()...)
	if e.Schema != "" && slices.Contains(allowed, "schema") && !slices.Contains(k.schemas, e.Schema) {
		fs.Add("schema", fmt.Sprintf("unknown schema %q", e.Schema), fault.Suggest(e.Schema, k.schemas, "there is no file in the folder of schemas"))
	}
	return fs
}

func (e EvaluatorConfig) validateJudge(k names) fault.List {
	c := e.JudgeConfig()
	fs := c.Validate()
	if c.Rubric != "" && !slices.Contains(k.rubrics, c.Rubric) {
		fs.Add("rubric", fmt.Sprintf("unknown rubric %q", c.Rubric), suggestRubric(c.Rubric, k.rubrics))
	}
	if slices.Contains(k.guided, c.Rubric) && strings.TrimSpace(c.Guideline) == "" {
		fs.Add("guideline", "missing", "want the text of the guideline that rubric "+c.Rubric+" judges by")
	}
	if !slices.Contains(k.models, c.Model) {
		fs.Add("model", fmt.Sprintf("unknown model %q", c.Model), fault.Suggest(c.Model, k.models, "models has no entry"))
	}
	return fs
}

func notAnOption(key, kind string, allowed []string) fault.Fault {
	expected := kind + " takes no options"
	if len(allowed) > 0 {
		expected = kind + " takes " + strings.Join(allowed, ", ")
	}
	return fault.Fault{Path: key, Problem: "not an option of type " + kind, Expected: expected}
}

// suggestRubric suggests a rubric; one that was renamed, by its new name.
func suggestRubric(word string, among []string) string {
	if word == "policy" {
		return "its name is guideline_adherence now"
	}
	return fault.Suggest(word, among, "there is none")
}

// Types returns every type of evaluator, validators first.
func Types() []string {
	var names []string
	for _, k := range validators.Kinds() {
		names = append(names, k.Name)
	}
	return append(names, TypeJudge)
}

// Options returns the keys that a type of evaluator accepts besides the common ones.
func Options(kind string) []string {
	if kind != TypeJudge {
		return validators.Options(kind)
	}
	var keys []string
	for _, f := range strictyaml.Fields(reflect.TypeFor[judges.Config]()) {
		keys = append(keys, f.Key)
	}
	return keys
}

// optionFields returns the option fields of all types in an EvaluatorConfig.
func optionFields() []strictyaml.Field {
	return slices.DeleteFunc(strictyaml.Fields(reflect.TypeFor[EvaluatorConfig]()), func(f strictyaml.Field) bool { return len(f.Index) == 1 })
}
