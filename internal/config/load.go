package config

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/policy"
)

// Load reads the configuration file, which overrides the defaults; the environment,
// in the form of [os.Environ], overrides both. With an empty path there are only
// defaults and environment.
//
// The error is of type [fault.List] and holds all faults: first of the environment,
// then of the file in its order, then of the rubric and schema files. A fault that
// only follows from another one is left out.
func Load(path string, environ []string) (*Config, error) {
	c, _, err := load(path, environ)
	return c, err
}

// LoadComplete is Load for programs that evaluate: that there are no evaluators is a
// fault too. It is the only one, because with others, a misspelt key for one, it may
// only follow from them.
func LoadComplete(path string, environ []string) (*Config, error) {
	c, doc, err := load(path, environ)
	if err != nil {
		return nil, err
	}
	missing := c.Missing()
	if doc != nil {
		missing = doc.Locate(missing)
	}
	if len(missing) > 0 {
		return nil, missing
	}
	return c, nil
}

// HealthListen returns the address of the health server, for who asks a worker whether it is
// ready: faults of other keys and other files are not looked for.
func HealthListen(path string, environ []string) (string, error) {
	const key = "health.listen"
	c := Default()
	var faults fault.List
	if path != "" {
		data, err := regular.Read(path, strictyaml.MaxBytes+1)
		if err != nil {
			faults = fault.List{{File: path, Problem: "cannot be read", Expected: reason(err)}}
		} else if doc, found := decode(path, data, &c); doc == nil || doc.Broken(key) {
			faults = found
		}
	}
	env := newEnvironment(environ)
	_ = env.apply(&c) // an address has no faults of its own
	if _, fromEnv := env.origin[key]; fromEnv {
		return c.Health.Listen, nil
	}
	return c.Health.Listen, faults.Err()
}

// LogOf returns how a program logs that cannot start because its configuration has faults: as
// far as the file and the environment say it, else by default. So the reason why it ends
// has the form of the lines that it would have written.
func LogOf(path string, environ []string) Log {
	c := Default()
	if path != "" {
		data, err := regular.Read(path, strictyaml.MaxBytes+1)
		if err == nil {
			_, _ = decode(path, data, &c) // what it cannot read keeps its default
		}
	}
	_ = newEnvironment(environ).apply(&c)
	if c.Log.Format != LogText {
		c.Log.Format = LogJSON
	}
	return c.Log
}

// load also returns the document that the file holds; nil without a file.
func load(path string, environ []string) (*Config, *strictyaml.Document, error) {
	c := Default()
	env := newEnvironment(environ)
	var doc *strictyaml.Document
	var faults fault.List
	if path != "" {
		data, err := regular.Read(path, strictyaml.MaxBytes+1)
		if err != nil {
			return nil, nil, fault.List{{File: path, Problem: "cannot be read", Expected: reason(err)}}
		}
		c.Folder = filepath.Dir(path)
		doc, faults = decode(path, data, &c)
	}
	if doc != nil && doc.Broken("") {
		return nil, nil, faults // nothing was read, so nothing can be checked
	}
	faults = append(faults, env.apply(&c)...)
	c.Kafka.Grace = c.Shutdown.Grace
	key, bad := env.get(envAPIKey)
	faults = append(faults, bad...)
	later := c.secrets(env, key)
	later = append(later, c.Validate()...)
	if doc != nil {
		later = append(later, c.ValidateKeys(doc.Has)...)
	}
	for _, f := range later {
		switch name, fromEnv := env.variableOf(f.Path); {
		case f.File != "":
		case fromEnv:
			f = fault.Fault{Path: name, Problem: f.Problem, Expected: f.Expected}
		case doc != nil && doc.Broken(f.Path):
			continue
		case doc != nil:
			f = doc.Locate(fault.List{f})[0]
		}
		faults = append(faults, f)
	}
	if len(faults) > 0 {
		sortFaults(faults, path)
		return nil, nil, faults
	}
	return &c, doc, nil
}

// decode reads the file twice, because each entry of models has its own defaults
// and their names are known only after the first reading.
func decode(path string, data []byte, c *Config) (*strictyaml.Document, fault.List) {
	var names struct {
		Models map[string]any `yaml:"models"`
	}
	_, _ = strictyaml.Decode(path, data, &names) // the second reading reports the same faults
	for name := range names.Models {
		c.Models[name] = policy.DefaultConfig().Models[policy.DefaultModel]
	}
	return strictyaml.Decode(path, data, c)
}

// sortFaults puts the environment first, then the configuration file, then the
// other files by name, each in its own order.
func sortFaults(faults fault.List, config string) {
	rank := func(f fault.Fault) int {
		if f.File == "" || f.File == config {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(faults, func(a, b fault.Fault) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// reason returns the part of an error that does not repeat the path.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
