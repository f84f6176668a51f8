package datasets

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/sensitive"
)

// RedactionConfig says what is taken out of content before a judge sees it and
// before a case is written. On by default.
type RedactionConfig struct {
	Disabled bool      `yaml:"disabled"` // nothing is redacted; for synthetic data only
	Kinds    []string  `yaml:"kinds"`    // what to look for; empty: all kinds of secrets and PII
	Keep     []string  `yaml:"keep"`     // kinds to leave alone
	Patterns []Pattern `yaml:"patterns"` // more, of your own
}

// Pattern is a custom kind of sensitive text.
type Pattern struct {
	Name    string `yaml:"name"`    // shown in place of the text: [NAME]
	Pattern string `yaml:"pattern"` // RE2
}

// Validate gives every fault.
func (c RedactionConfig) Validate() eval.Faults {
	var fs eval.Faults
	for _, list := range []struct {
		path  string
		kinds []string
	}{{"kinds", c.Kinds}, {"keep", c.Keep}} {
		for i, kind := range list.kinds {
			if _, err := sensitive.New([]string{kind}); err != nil {
				fs.Add(fmt.Sprintf("%s[%d]", list.path, i), err.Error(), "want a kind, or a class: secret, pii")
			}
		}
	}
	if len(fs) == 0 && !c.Disabled && len(c.kinds()) == 0 && len(c.Patterns) == 0 {
		fs.Add("keep", "leaves nothing to redact", "want at least one kind, or disabled: true")
	}
	for i, p := range c.Patterns {
		path := fmt.Sprintf("patterns[%d]", i)
		if slices.ContainsFunc(c.Patterns[:i], func(q Pattern) bool { return strings.EqualFold(q.Name, p.Name) }) {
			fs.Add(path+".name", fmt.Sprintf("%q is there twice", p.Name), "want one pattern a name")
		}
		if _, err := sensitive.New(nil, sensitive.Custom(p)); err != nil {
			fs.Add(path, err.Error(), "want a name of one word and an RE2 expression")
		}
	}
	return fs
}

// kinds gives the names of the built-in kinds that are looked for.
func (c RedactionConfig) kinds() []string {
	var out []string
	for _, k := range sensitive.Kinds() {
		named := func(name string) bool { return name == k.Name || name == string(k.Class) }
		if (len(c.Kinds) == 0 || slices.ContainsFunc(c.Kinds, named)) && !slices.ContainsFunc(c.Keep, named) {
			out = append(out, k.Name)
		}
	}
	return out
}
