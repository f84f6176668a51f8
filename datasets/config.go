package datasets

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/secret"
	"github.com/evalworker/evalworker/redact"
)

// Config says where cases are kept.
type Config struct {
	// URL of the store: sqlite:FILE, sqlite::memory: for one that is gone with the
	// process, or postgres://USER@HOST/DATABASE for one that workers share. What it
	// leaves out is taken from PostgreSQL's own variables (PGPASSWORD, PGSSLMODE).
	URL string `yaml:"url"`
	// Password for PostgreSQL; wins over one in the URL.
	Password secret.String `yaml:"password"`
	// PasswordFile holds the password; who loads the configuration reads it.
	PasswordFile string `yaml:"password_file"`
	// MaxConnections bounds the connections of one process to PostgreSQL, 1 to 1000.
	MaxConnections int `yaml:"max_connections"`
	// ConnectionLifetime bounds the life of a connection to PostgreSQL, so that
	// workers find their way back after a failover.
	ConnectionLifetime time.Duration `yaml:"connection_lifetime"`
	// MaxExemplars bounds the requests that are kept of one case.
	MaxExemplars int `yaml:"max_exemplars"`
	// Timeout bounds one write, a statement of it, and the attempt to connect.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig keeps five exemplars a case in a file in the working directory.
func DefaultConfig() Config {
	return Config{
		URL: sqliteScheme + "evalworker.db", MaxConnections: 4, ConnectionLifetime: 30 * time.Minute,
		MaxExemplars: 5, Timeout: 10 * time.Second,
	}
}

// sqliteScheme begins the URL of a SQLite store; memory is the file of one that
// lives and dies with its Store.
const (
	sqliteScheme = "sqlite:"
	memory       = ":memory:"
)

// Bounds of the configuration. All exemplars of a case are read at once.
const (
	maxExemplars   = 1000
	maxConnections = 1000
)

// Validate gives all faults of c. They quote no password.
func (c Config) Validate() eval.Faults {
	var fs eval.Faults
	if c.Remote() {
		fs = append(fs, c.validateServer()...)
	} else {
		fs = append(fs, c.validateFile()...)
	}
	if c.MaxConnections < 1 || c.MaxConnections > maxConnections {
		fs.Add("max_connections", fmt.Sprintf("%d is out of range", c.MaxConnections), fmt.Sprintf("want 1 to %d", maxConnections))
	}
	if c.ConnectionLifetime <= 0 {
		fs.Add("connection_lifetime", fmt.Sprintf("%s is no bound", c.ConnectionLifetime), "want a duration above zero, such as 30m")
	}
	if c.MaxExemplars < 1 || c.MaxExemplars > maxExemplars {
		fs.Add("max_exemplars", fmt.Sprintf("%d is out of range", c.MaxExemplars), fmt.Sprintf("want 1 to %d", maxExemplars))
	}
	if c.Timeout <= 0 {
		fs.Add("timeout", fmt.Sprintf("%s is no bound", c.Timeout), "want a duration above zero, such as 10s")
	}
	return fs
}

func (c Config) validateFile() eval.Faults {
	var fs eval.Faults
	want := "want sqlite:FILE, such as " + DefaultConfig().URL
	switch path, ok := strings.CutPrefix(c.URL, sqliteScheme); {
	case !ok:
		fs.Add("url", shown(c.URL)+" is no store", want+", or "+exampleURL)
	case path == "" || strings.HasPrefix(path, "//") || strings.ContainsRune(path, 0):
		fs.Add("url", shown(c.URL)+" names no file", want)
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
			if _, err := redact.New([]string{name}); err != nil {
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
		if _, err := redact.New(nil, redact.Custom(p)); err != nil {
			fs.Add(fmt.Sprintf("patterns[%d]", i), err.Error(), "want a name without spaces and an RE2 expression that does not match the empty text")
		}
	}
	return fs
}

// detector makes the detector that the configuration asks for; nil for none.
func (c RedactionConfig) detector() (*redact.Detector, error) {
	if c.Disabled {
		return nil, nil //nolint:nilnil // no detector is what was asked for
	}
	if err := c.Validate().Err(); err != nil {
		return nil, err
	}
	custom := make([]redact.Custom, len(c.Patterns))
	for i, p := range c.Patterns {
		custom[i] = redact.Custom(p)
	}
	return redact.New(c.wanted(), custom...)
}

// wanted gives the built-in kinds that are looked for. A class stands for its
// kinds.
func (c RedactionConfig) wanted() []string {
	var out []string
	for _, k := range redact.Kinds() {
		named := func(name string) bool { return name == k.Name || name == string(k.Class) }
		if (len(c.Kinds) == 0 || slices.ContainsFunc(c.Kinds, named)) && !slices.ContainsFunc(c.Keep, named) {
			out = append(out, k.Name)
		}
	}
	return out
}
