package datasets

import (
	"fmt"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// Config says where cases are kept.
type Config struct {
	URL          string        `yaml:"url"`           // sqlite:FILE
	MaxExemplars int           `yaml:"max_exemplars"` // requests kept a signature
	Timeout      time.Duration `yaml:"timeout"`       // of one write
}

// DefaultConfig gives a file in the working directory.
func DefaultConfig() Config {
	return Config{URL: schemeSQLite + "evalworker.db", MaxExemplars: 5, Timeout: 10 * time.Second}
}

// Bounds of the configuration.
const (
	maxExemplars = 1000
	maxTimeout   = 10 * time.Minute
)

const schemeSQLite = "sqlite:"

// memory is the file name of a store that lives and dies with its Store.
const memory = ":memory:"

// Validate gives every fault.
func (c Config) Validate() eval.Faults {
	var fs eval.Faults
	if file, ok := strings.CutPrefix(c.URL, schemeSQLite); !ok || file == "" {
		fs.Add("url", fmt.Sprintf("%q is no store", c.URL), "want sqlite:FILE, for example "+DefaultConfig().URL)
	} else if strings.HasPrefix(file, "//") || strings.ContainsRune(file, 0) {
		fs.Add("url", fmt.Sprintf("%q has a host", c.URL), "want sqlite:FILE, for example sqlite:/var/lib/evalworker/cases.db")
	}
	if c.MaxExemplars < 1 || c.MaxExemplars > maxExemplars {
		fs.Add("max_exemplars", fmt.Sprintf("%d is out of range", c.MaxExemplars), fmt.Sprintf("want 1 to %d", maxExemplars))
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		fs.Add("timeout", fmt.Sprintf("%v is out of range", c.Timeout), "want a duration above zero, up to 10m")
	}
	return fs
}

// file gives the path of the database file, or [memory].
func (c Config) file() string { return strings.TrimPrefix(c.URL, schemeSQLite) }
