package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

// TestDefaultIsValid: the defaults have no faults.
func TestDefaultIsValid(t *testing.T) {
	t.Chdir(t.TempDir()) // where no folder of rubrics stands by chance
	c := config.Default()
	if faults := c.Validate(); len(faults) > 0 {
		t.Error(faults)
	}
	loaded, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := printed(t, loaded), printed(t, &c); got != want {
		t.Errorf("loaded from nothing:\n%s\nwant the defaults:\n%s", got, want)
	}
}

func printed(t *testing.T, c *config.Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func lines(fs fault.List) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.String())
	}
	return out
}

// TestKeysAreDocumented: every key has a line in the doc tag of its field.
func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	env := map[string]string{}
	for _, k := range config.Keys() {
		if seen[k.Path] {
			t.Errorf("%s stands twice", k.Path)
		}
		seen[k.Path] = true
		switch {
		case k.Doc == "":
			t.Errorf("%s has no line", k.Path)
		case !strings.HasSuffix(k.Doc, ".") || strings.Contains(k.Doc, "\n"):
			t.Errorf("%s: %q is not one full line", k.Path, k.Doc)
		}
		if other, taken := env[k.Env]; taken && k.Env != "" {
			t.Errorf("%s sets both %s and %s", k.Env, other, k.Path)
		}
		env[k.Env] = k.Path
	}
}

// TestKeysAreWritten: the name of every key stands in the yaml tag of its field, and is
// not made of the field's name.
func TestKeysAreWritten(t *testing.T) {
	t.Parallel()
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for _, f := range strictyaml.Fields(typ) {
			if f.Tag.Get("yaml") != f.Key {
				t.Errorf("%s%s has no yaml tag", path, f.Key)
			}
			walk(f.Type, path+f.Key+".")
		}
	}
	walk(reflect.TypeFor[config.Config](), "")
}

// TestRunAll: neither a rate nor a rule may leave an event out.
func TestRunAll(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: `
evaluators:
  - {name: a, type: llm_judge, rubric: correctness}
  - {name: b, type: secrets, rate: 0, when: 'feature == "x"'}
sampling: {rules: [{name: off, rate: 0}]}
`})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.RunAll()
	for _, e := range c.Evaluators {
		if e.Rate == nil || *e.Rate != 1 {
			t.Errorf("%s runs at %v", e.Name, e.Rate)
		}
	}
	if len(c.Sampling.Rules) > 0 || c.Evaluators[1].When == "" {
		t.Errorf("rules %v, condition %q", c.Sampling.Rules, c.Evaluators[1].When)
	}
	if faults := c.Validate(); len(faults) > 0 {
		t.Error(faults)
	}
}
