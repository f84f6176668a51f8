package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/validators"
)

// Config is the configuration of one revision.
type Config struct {
	// Folder is the base of relative paths: the folder of the file; empty: the
	// working directory.
	Folder string `yaml:"-"`

	Schemas    string                  `yaml:"schemas" doc:"Folder of JSON Schemas, NAME.json, relative to this file."`
	Rubrics    string                  `yaml:"rubrics" doc:"Folder of rubrics, NAME.yaml, relative to this file; they add to the built-in ones; one of the same name replaces a built-in."`
	Models     map[string]model.Config `yaml:"models" doc:"Models that judges ask, by a name of your choice, behind any OpenAI-compatible server."`
	Judges     JudgesConfig            `yaml:"judges" doc:"What all judges do while their model is down."`
	Evaluators []EvaluatorConfig       `yaml:"evaluators" doc:"What is checked and judged. Each entry has a name, a type and the options of its type."`
	Sampling   sampler.Config          `yaml:"sampling" doc:"Which events are evaluated."`
	Feedback   FeedbackConfig          `yaml:"feedback" doc:"How users' ratings are read."`
}

// JudgesConfig says what judges do while the server of their model cannot be reached or
// does not answer in time. A server that refuses or limits calls is not down.
type JudgesConfig struct {
	// WhenDown is [WhenDownError] or [WhenDownWait].
	WhenDown string `yaml:"when_down" doc:"While a model is down: error (verdicts are errors, and events go on) or wait (events that need the model wait, and intake stalls behind them)."`
	// MaxWait bounds the wait, from the model's last answer on.
	MaxWait time.Duration `yaml:"max_wait" doc:"With wait: time without an answer of the model after which verdicts are errors until it answers again."`
}

// What judges do while their model is down.
const (
	WhenDownError = "error"
	WhenDownWait  = "wait"
)

// Validate returns every fault.
func (c JudgesConfig) Validate() fault.List {
	var fs fault.List
	if c.WhenDown != WhenDownError && c.WhenDown != WhenDownWait {
		fs.Add("when_down", fmt.Sprintf("%q is unknown", c.WhenDown), "want error or wait")
	}
	if c.MaxWait < time.Second || c.MaxWait > 24*time.Hour {
		fs.Add("max_wait", fmt.Sprintf("%v is out of range", c.MaxWait), "want 1s to 24h")
	}
	return fs
}

// wait returns for how long evaluations wait for a model that is down.
func (c JudgesConfig) wait() time.Duration {
	if c.WhenDown == WhenDownWait {
		return c.MaxWait
	}
	return 0
}

// FeedbackConfig says how the ratings of feedback events are read.
type FeedbackConfig struct {
	RatingMax *float64 `yaml:"rating_max" doc:"Greatest numeric rating, such as 5, for events without user_rating_max; without one such a number cannot be judged."`
	RatingMin *float64 `yaml:"rating_min" doc:"Least rating on that scale; without one 1, or 0 when rating_max is 1 or less."`
}

// RatingScale returns the scale of numeric ratings whose events name none.
func (c FeedbackConfig) RatingScale() eval.RatingScale {
	return eval.RatingScale{Min: c.RatingMin, Max: c.RatingMax}
}

// Validate returns every fault.
func (c FeedbackConfig) Validate() fault.List {
	var fs fault.List
	low, high, ok := c.RatingScale().Bounds()
	switch {
	case ok && !(low < high && !math.IsInf(high-low, 0)): // NaN too
		fs.Add("rating_max", fmt.Sprintf("%g is not above rating_min, which is %g", high, low), "want the greatest rating that a user can give, such as 5")
	case !ok && c.RatingMin != nil:
		fs.Add("rating_min", "set without rating_max", "want both ends of the scale, or neither")
	}
	return fs
}

// DefaultModel is the entry of models for judges that name none.
const DefaultModel = "default"

const (
	defaultSchemas = "schemas/"
	defaultRubrics = "rubrics/"
)

// DefaultConfig returns a configuration with one model and no evaluators.
func DefaultConfig() Config {
	return Config{
		Schemas:  defaultSchemas,
		Rubrics:  defaultRubrics,
		Models:   map[string]model.Config{DefaultModel: model.DefaultConfig()},
		Judges:   JudgesConfig{WhenDown: WhenDownError, MaxWait: 10 * time.Minute},
		Sampling: sampler.DefaultConfig(),
	}
}

// SchemaDir returns the folder of the schemas, or "" when there is none.
func (c *Config) SchemaDir() string { return c.dir(c.Schemas) }

// RubricDir returns the folder of the rubrics, or "" when there is none.
func (c *Config) RubricDir() string { return c.dir(c.Rubrics) }

// dir resolves a folder, to "" when it does not exist: the default folders are
// optional, and Validate reports the others.
func (c *Config) dir(name string) string {
	if dir := c.Resolve(name); name != "" && isDir(dir) {
		return dir
	}
	return ""
}

// Resolve returns the path of a file that the configuration names.
func (c *Config) Resolve(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(c.Folder, name)
}

// Sampler compiles the rules and the evaluators' conditions.
func (c *Config) Sampler() (*sampler.Sampler, error) {
	evaluators := make([]sampler.Evaluator, len(c.Evaluators))
	for i, e := range c.Evaluators {
		evaluators[i] = sampler.Evaluator{Name: e.Name, Judge: e.Judge(), Rate: e.Rate, When: e.When}
	}
	return sampler.New(c.Sampling, evaluators)
}

// RunAll makes every evaluator run on every event that its own condition admits,
// whatever the rates and rules.
func (c *Config) RunAll() {
	c.Sampling.Rules = nil
	for i := range c.Evaluators {
		c.Evaluators[i].Rate = new(1.0)
	}
}

// Missing returns the fault of a policy without evaluators: a worker would join
// the group, take its events and evaluate none of them. Validate does not report
// it, because tools that only read dead letters or cases need no evaluator.
func (c *Config) Missing() fault.List {
	if len(c.Evaluators) > 0 {
		return nil
	}
	return fault.List{{
		Path: "evaluators", Problem: "there are none",
		Expected: "want at least one: a worker without evaluators takes events and evaluates none",
	}}
}

// Validate checks the policy and everything that it refers to: rubrics, schemas,
// models and conditions. Paths are those of the file's keys; faults of rubric and
// schema files name their file.
func (c *Config) Validate() fault.List {
	fs := c.missingFolders()
	for _, name := range sortedKeys(c.Models) {
		if name == "" {
			fs.Add("models", "an entry without a name", "want a name that evaluators can give as model")
			continue
		}
		fs.Under("models."+name, c.Models[name].Validate())
	}
	fs.Under("judges", c.Judges.Validate())
	fs = append(fs, c.validateEvaluators()...)
	fs.Under("feedback", c.Feedback.Validate())
	return append(fs, c.validateSampling()...)
}

// missingFolders reports configured folders that do not exist. The default ones may
// be absent.
func (c *Config) missingFolders() fault.List {
	var fs fault.List
	for _, f := range []struct{ key, name, byDefault string }{
		{"schemas", c.Schemas, defaultSchemas}, {"rubrics", c.Rubrics, defaultRubrics},
	} {
		if f.name != "" && f.name != f.byDefault && !isDir(c.Resolve(f.name)) {
			fs.Add(f.key, fmt.Sprintf("%s is not a folder", c.Resolve(f.name)), "want a folder, named relative to the file; leave the key out when there is none")
		}
	}
	return fs
}

func (c *Config) validateEvaluators() fault.List {
	k := names{models: sortedKeys(c.Models)}
	rubrics, fs := judges.LoadRubrics(c.RubricDir())
	// A rubric or schema whose file has a fault exists; reporting it as unknown too
	// would be noise.
	k.rubrics = append(sortedKeys(rubrics), stems(fs)...)
	for _, name := range sortedKeys(rubrics) {
		if slices.Contains(rubrics[name].Needs, "guideline") {
			k.guided = append(k.guided, name)
		}
	}
	if dir := c.SchemaDir(); dir != "" {
		_, bad := validators.LoadSchemas(dir)
		fs = append(fs, bad...)
		files, _ := SchemaFiles(dir)
		for _, name := range files {
			k.schemas = append(k.schemas, strings.TrimSuffix(name, ".json"))
		}
	}
	for i, e := range c.Evaluators {
		fs.Under(fmt.Sprintf("evaluators[%d]", i), e.validate(k))
	}
	return fs
}

// validateSampling compiles the rules together with the evaluators.
func (c *Config) validateSampling() fault.List {
	_, err := c.Sampler()
	if err == nil {
		return nil
	}
	bad, ok := errors.AsType[fault.List](err)
	if !ok {
		return fault.List{{Path: "sampling", Problem: err.Error()}}
	}
	var fs fault.List
	for _, f := range bad {
		if strings.HasPrefix(f.Path, "evaluators[") {
			fs = append(fs, f)
			continue
		}
		fs.Under("sampling", fault.List{f})
	}
	return fs
}

// ValidateKeys reports faults that only the file shows, because in Go a key with
// its zero value looks like an absent one: a rule without a rate, a price of input
// alone, and an option of another type. has reports whether the file sets the key at a path.
func (c *Config) ValidateKeys(has func(path string) bool) fault.List {
	var fs fault.List
	for i := range c.Sampling.Rules {
		if path := fmt.Sprintf("sampling.rules[%d].rate", i); !has(path) {
			fs.Add(path, "missing", "want the probability for events that match, from 0 to 1")
		}
	}
	for _, name := range sortedKeys(c.Models) {
		path := "models." + name + ".price"
		for _, key := range []string{"input", "output"} {
			if c.Models[name].Price != nil && has(path) && !has(path+"."+key) {
				fs.Add(path+"."+key, "missing", "want US dollars for a million tokens; 0 if they cost nothing")
			}
		}
	}
	for i, e := range c.Evaluators {
		if !slices.Contains(Types(), e.Type) {
			continue
		}
		allowed := Options(e.Type)
		for _, o := range optionFields() {
			path := fmt.Sprintf("evaluators[%d]", i)
			if !slices.Contains(allowed, o.Key) && o.Of(e).IsZero() && has(path+"."+o.Key) {
				fs.Under(path, fault.List{notAnOption(o.Key, e.Type, allowed)})
			}
		}
	}
	return fs
}

// SchemaFiles returns the schema files below dir and the folders that may hold
// some, including dir, relative to dir and with slashes. Unreadable ones are left
// out. As in package validators, dir itself may be a link, because Kubernetes
// mounts folders as links; links inside are not followed.
func SchemaFiles(dir string) (files, folders []string) {
	_ = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			folders = append(folders, name)
		case path.Ext(name) == ".json":
			files = append(files, name)
		}
		return nil
	})
	return files, folders
}

// stems returns the rubric or schema names of faulty files.
func stems(fs fault.List) []string {
	var out []string
	for _, f := range fs {
		if stem := strings.TrimSuffix(filepath.Base(f.File), filepath.Ext(f.File)); !slices.Contains(out, stem) {
			out = append(out, stem)
		}
	}
	return out
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
