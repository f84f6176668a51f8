package redact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// RedactionConfig says what is taken out of content before a judge sees it and
// before a case is written. The zero value takes out every known kind.
type Config struct {
	// Disabled leaves content as it is; for synthetic data only.
	Disabled bool `yaml:"disabled" doc:"Redact nothing; for synthetic data only."`
	// Kinds to take out; empty: all kinds of secrets and personal data.
	Kinds []string `yaml:"kinds" doc:"Kinds to take out; without any, all secrets and personal data."`
	// Keep names kinds to leave alone.
	Keep []string `yaml:"keep" doc:"Kinds to leave alone."`
	// Patterns are kinds of your own.
	Patterns []Pattern `yaml:"patterns" doc:"More kinds, of your own."`
}

// Pattern is a kind of sensitive text of one's own.
type Pattern struct {
	Name    string `yaml:"name" doc:"Name that stands in place of the text."`
	Pattern string `yaml:"pattern" doc:"Expression in RE2 syntax that finds the text."`
}

// Validate gives all faults of c.
func (c Config) Validate() fault.List {
	var fs fault.List
	for _, list := range []struct {
		path  string
		kinds []string
	}{{"kinds", c.Kinds}, {"keep", c.Keep}} {
		for i, name := range list.kinds {
			if _, err := NewDetector([]string{name}); err != nil {
				problem, expected, _ := strings.Cut(err.Error(), ": ")
				fs.Add(fmt.Sprintf("%s[%d]", list.path, i), problem, expected)
			}
		}
	}
	if len(fs) == 0 && !c.Disabled && len(c.kinds()) == 0 {
		fs.Add("keep", "leaves nothing to take out", "set disabled: true if that is meant")
	}
	for i, p := range c.Patterns {
		if slices.ContainsFunc(c.Patterns[:i], func(q Pattern) bool { return strings.EqualFold(q.Name, p.Name) }) {
			fs.Add(fmt.Sprintf("patterns[%d].name", i), fmt.Sprintf("%q is there twice", p.Name), "want one pattern a name")
		}
		if _, err := NewDetector(nil, Custom(p)); err != nil {
			fs.Add(fmt.Sprintf("patterns[%d]", i), err.Error(), "want a name without spaces and an RE2 expression that does not match the empty text")
		}
	}
	return fs
}

// detector makes the detector that the configuration asks for; nil for none.
func (c Config) detector() (*Detector, error) {
	if c.Disabled {
		return nil, nil //nolint:nilnil // no detector is what was asked for
	}
	if err := c.Validate().Err(); err != nil {
		return nil, err
	}
	custom := make([]Custom, len(c.Patterns))
	for i, p := range c.Patterns {
		custom[i] = Custom(p)
	}
	return NewDetector(c.kinds(), custom...)
}

// wanted gives the built-in kinds that are looked for. A class stands for its
// kinds.
func (c Config) kinds() []string {
	var out []string
	for _, k := range Kinds() {
		named := func(name string) bool { return name == k.Name || name == string(k.Class) }
		if (len(c.Kinds) == 0 || slices.ContainsFunc(c.Kinds, named)) && !slices.ContainsFunc(c.Keep, named) {
			out = append(out, k.Name)
		}
	}
	return out
}
