package redact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Config says which kinds of text are redacted in content before a judge sees it
// and before a case is written. The zero value redacts every known kind.
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

// Pattern is a kind of sensitive text that the configuration adds.
type Pattern struct {
	Name    string `yaml:"name" doc:"Name that replaces the text."`
	Pattern string `yaml:"pattern" doc:"Expression in RE2 syntax that finds the text."`
}

// Validate returns all faults of c.
func (c Config) Validate() fault.List {
	var fs fault.List
	known := Kinds()
	for _, list := range []struct {
		path  string
		kinds []string
	}{{"kinds", c.Kinds}, {"keep", c.Keep}} {
		for i, name := range list.kinds {
			if problem, expected := checkKind(name, known); problem != "" {
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
		if _, err := p.compile(); err != nil {
			fs.Add(fmt.Sprintf("patterns[%d]", i), err.Error(), "want a name without spaces and an RE2 expression that does not match the empty text")
		}
	}
	return fs
}

// kinds returns the names of the built-in kinds that are looked for.
func (c Config) kinds() []string {
	var out []string
	for _, k := range Kinds() {
		if (len(c.Kinds) == 0 || slices.ContainsFunc(c.Kinds, k.is)) && !slices.ContainsFunc(c.Keep, k.is) {
			out = append(out, k.Name)
		}
	}
	return out
}

// maxPattern bounds a configured expression, in bytes: every text is searched
// with it.
const maxPattern = 4096

func (p Pattern) compile() (finder, error) {
	if p.Name == "" || strings.ContainsAny(p.Name, "[] \t\n") {
		return finder{}, fmt.Errorf("pattern name %q: want a word", p.Name)
	}
	if len(p.Pattern) > maxPattern {
		return finder{}, fmt.Errorf("pattern %s: %d bytes are more than %d", p.Name, len(p.Pattern), maxPattern)
	}
	re, err := regexp.Compile(p.Pattern)
	if err != nil {
		return finder{}, fmt.Errorf("pattern %s: %w", p.Name, err)
	}
	if p.Pattern == "" || re.MatchString("") {
		return finder{}, fmt.Errorf("pattern %s: matches the empty text", p.Name)
	}
	return finder{Kind: Kind{Name: p.Name, Class: ClassPII}, re: re, group: re.NumSubexp() > 0}, nil
}
