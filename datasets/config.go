package datasets

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/sensitive"
)

// Config says where cases are kept.
type Config struct {
	// URL of the store: sqlite:FILE, or sqlite::memory: for one that is gone with
	// the process.
	URL string `yaml:"url"`
	// MaxExemplars bounds the requests that are kept of one case.
	MaxExemplars int `yaml:"max_exemplars"`
	// Timeout bounds one write.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig keeps five exemplars a case in a file in the working directory.
func DefaultConfig() Config {
	return Config{URL: sqliteScheme + "evalworker.db", MaxExemplars: 5, Timeout: 10 * time.Second}
}

// sqliteScheme begins the URL of a SQLite store; memory is the file of one that
// lives and dies with its Store.
const (
	sqliteScheme = "sqlite:"
	memory       = ":memory:"
)

// maxExemplars bounds the exemplars of a case, all of which are read at once.
const maxExemplars = 1000

// Validate gives all faults of c.
func (c Config) Validate() eval.Faults {
	var fs eval.Faults
	switch path, ok := strings.CutPrefix(c.URL, sqliteScheme); {
	case !ok:
		fs.Add("url", fmt.Sprintf("%q is no store", c.URL), "want sqlite:FILE, such as "+DefaultConfig().URL)
	case path == "" || strings.HasPrefix(path, "//") || strings.ContainsRune(path, 0):
		fs.Add("url", fmt.Sprintf("%q names no file", c.URL), "want sqlite:FILE, such as "+DefaultConfig().URL)
	}
	if c.MaxExemplars < 1 || c.MaxExemplars > maxExemplars {
		fs.Add("max_exemplars", fmt.Sprintf("%d is out of range", c.MaxExemplars), fmt.Sprintf("want 1 to %d", maxExemplars))
	}
	if c.Timeout <= 0 {
		fs.Add("timeout", fmt.Sprintf("%s is no bound", c.Timeout), "want a duration above zero, such as 10s")
	}
	return fs
}

// file gives the path of the database file, or memory.
func (c Config) file() string { return strings.TrimPrefix(c.URL, sqliteScheme) }

// RedactionConfig says what is taken out of content before a judge sees it and
// before a case is written. The zero value takes out every known kind.
type RedactionConfig struct {
	// Disabled leaves content as it is; for synthetic data only.
	Disabled bool `yaml:"disabled"`
	// Kinds to take out; empty: all kinds of secrets and personal data.
	Kinds []string `yaml:"kinds"`
	// Keep names kinds to leave alone.
	Keep []string `yaml:"keep"`
	// Patterns are kinds of your own.
	Patterns []Pattern `yaml:"patterns"`
}

// Pattern is a kind of sensitive text of one's own.
type Pattern struct {
	Name    string `yaml:"name"`    // shown in place of the text, as [NAME]
	Pattern string `yaml:"pattern"` // RE2; its first group, if any, is what is taken out
}

// Validate gives all faults of c.
func (c RedactionConfig) Validate() eval.Faults {
	var fs eval.Faults
	for _, list := range []struct {
		path  string
		kinds []string
	}{{"kinds", c.Kinds}, {"keep", c.Keep}} {
		for i, name := range list.kinds {
			if _, err := sensitive.New([]string{name}); err != nil {
				problem, expected, _ := strings.Cut(err.Error(), ": ")
				fs.Add(fmt.Sprintf("%s[%d]", list.path, i), problem, expected)
			}
		}
	}
	if len(fs) == 0 && !c.Disabled && len(c.wanted()) == 0 {
		fs.Add("keep", "leaves nothing to take out", "set disabled: true if that is meant")
	}
	for i, p := range c.Patterns {
		if slices.ContainsFunc(c.Patterns[:i], func(q Pattern) bool { return strings.EqualFold(q.Name, p.Name) }) {
			fs.Add(fmt.Sprintf("patterns[%d].name", i), fmt.Sprintf("%q is there twice", p.Name), "want one pattern a name")
		}
		if _, err := sensitive.New(nil, sensitive.Custom(p)); err != nil {
			fs.Add(fmt.Sprintf("patterns[%d]", i), err.Error(), "want a name without spaces and an RE2 expression that does not match the empty text")
		}
	}
	return fs
}

// detector makes the detector that the configuration asks for; nil for none.
func (c RedactionConfig) detector() (*sensitive.Detector, error) {
	if c.Disabled {
		return nil, nil //nolint:nilnil // no detector is what was asked for
	}
	if err := c.Validate().Err(); err != nil {
		return nil, err
	}
	custom := make([]sensitive.Custom, len(c.Patterns))
	for i, p := range c.Patterns {
		custom[i] = sensitive.Custom(p)
	}
	return sensitive.New(c.wanted(), custom...)
}

// wanted gives the built-in kinds that are looked for. A class stands for its
// kinds.
func (c RedactionConfig) wanted() []string {
	var out []string
	for _, k := range sensitive.Kinds() {
		named := func(name string) bool { return name == k.Name || name == string(k.Class) }
		if (len(c.Kinds) == 0 || slices.ContainsFunc(c.Kinds, named)) && !slices.ContainsFunc(c.Keep, named) {
			out = append(out, k.Name)
		}
	}
	return out
}
