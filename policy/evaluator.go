package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/validators"
)

// The options of the two families, under names that can stand side by side.
type (
	// ValidatorOptions are the options of validators.
	ValidatorOptions = validators.Config
	// JudgeOptions are the options of judges.
	JudgeOptions = judges.Config
)

// Evaluator is one entry of evaluators: what all have, and the options of its
// type. Those of other types stay zero.
type Evaluator struct {
	Name    string        `yaml:"name"`
	Type    string        `yaml:"type"` // a kind of validator, or llm_judge
	Rate    *float64      `yaml:"rate"`
	When    string        `yaml:"when"`
	Timeout time.Duration `yaml:"timeout"` // of one evaluation, retries included; 0: none of its own

	ValidatorOptions `yaml:",inline"`
	JudgeOptions     `yaml:",inline"`
}

// typeJudge is the type of an evaluator that asks a model.
const typeJudge = string(eval.TypeLLMJudge)

// Judge reports whether the evaluator asks a model.
func (e Evaluator) Judge() bool { return e.Type == typeJudge }

// JudgeConfig gives the configuration of a judge.
func (e Evaluator) JudgeConfig() judges.Config {
	c := e.JudgeOptions
	c.Name = e.Name
	if c.Model == "" {
		c.Model = defaultModel
	}
	return c
}

// ValidatorConfig gives the configuration of a validator.
func (e Evaluator) ValidatorConfig() validators.Config {
	c := e.ValidatorOptions
	c.Name, c.Type = e.Name, e.Type
	return c
}

var evaluatorName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// maxName bounds an evaluator's name, which becomes part of a metric's name.
const maxName = 64

// named is what evaluators may name.
type named struct {
	types   []string
	rubrics []string
	policed []string // the rubrics that judge by a policy
	schemas []string
	models  []string
}

func (c *Config) validateEvaluators() fault.List {
	var fs fault.List
	n := named{types: allTypes(), models: sortedKeys(c.Models)}
	rubrics, bad := judges.LoadRubrics(c.RubricDir())
	fs = append(fs, bad...)
	// A rubric with a fault exists: that it is not known would be an echo.
	n.rubrics = append(sortedKeys(rubrics), stems(bad)...)
	for _, name := range sortedKeys(rubrics) {
		if slices.Contains(rubrics[name].Needs, "policy") {
			n.policed = append(n.policed, name)
		}
	}
	n.schemas, bad = loadSchemas(c.SchemaDir())
	fs = append(fs, bad...)
	for i, e := range c.Evaluators {
		fs.Under(fmt.Sprintf("evaluators[%d]", i), e.validate(n))
	}
	return fs
}

func (e Evaluator) validate(n named) fault.List {
	var fs fault.List
	switch {
	case e.Name == "": // the sampler says so, as it does of a name that occurs twice
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
		fs.Add("type", "missing", "want one of "+strings.Join(n.types, ", "))
		return fs
	case !slices.Contains(n.types, e.Type):
		fs.Add("type", fmt.Sprintf("unknown type %q", e.Type), meant(e.Type, n.types, "no type is known"))
		return fs
	}
	allowed := options(e.Type)
	for _, o := range optionFields() {
		if v := reflect.ValueOf(&e).Elem().FieldByIndex(o.index); !slices.Contains(allowed, o.key) && !v.IsZero() {
			fs = append(fs, notAnOption(o.key, e.Type, allowed))
			v.SetZero() // said once; e is a copy
		}
	}
	if e.Judge() {
		return append(fs, e.validateJudge(n)...)
	}
	fs = append(fs, e.ValidatorConfig().Validate()...)
	if e.Schema != "" && slices.Contains(allowed, "schema") && !slices.Contains(n.schemas, e.Schema) {
		fs.Add("schema", fmt.Sprintf("unknown schema %q", e.Schema), meant(e.Schema, n.schemas, "there is no file in the folder of schemas"))
	}
	return fs
}

func (e Evaluator) validateJudge(n named) fault.List {
	c := e.JudgeConfig()
	fs := c.Validate()
	if c.Rubric != "" && !slices.Contains(n.rubrics, c.Rubric) {
		fs.Add("rubric", fmt.Sprintf("unknown rubric %q", c.Rubric), meant(c.Rubric, n.rubrics, "there is none"))
	}
	if slices.Contains(n.policed, c.Rubric) && strings.TrimSpace(c.Policy) == "" {
		fs.Add("policy", "missing", "want the text of the policy that rubric "+c.Rubric+" judges by")
	}
	if !slices.Contains(n.models, c.Model) {
		fs.Add("model", fmt.Sprintf("unknown model %q", c.Model), meant(c.Model, n.models, "models has no entry"))
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

// meant says which name was meant, else which there are.
func meant(word string, among []string, none string) string {
	switch near := fault.Nearest(word, among); {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(among) == 0:
		return none
	}
	return "want one of " + strings.Join(among, ", ")
}

// options gives the keys that a type of evaluator takes beside those that all
// take.
func options(kind string) []string {
	if kind == typeJudge {
		var keys []string
		for _, f := range fieldsOf(reflect.TypeFor[judges.Config](), nil) {
			keys = append(keys, f.key)
		}
		return keys
	}
	return validators.Options(kind)
}

// optionFields gives the options of all types, as they stand in an Evaluator.
func optionFields() []keyField {
	var out []keyField
	for _, f := range fieldsOf(reflect.TypeFor[Evaluator](), nil) {
		if len(f.index) > 1 {
			out = append(out, f)
		}
	}
	return out
}

// Sampled gives the evaluators as the sampler knows them, in their order.
func (c *Config) Sampled() []sampler.Evaluator {
	out := make([]sampler.Evaluator, len(c.Evaluators))
	for i, e := range c.Evaluators {
		out[i] = sampler.Evaluator{Name: e.Name, Judge: e.Judge(), Rate: e.Rate, When: e.When}
	}
	return out
}
