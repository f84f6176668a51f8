package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/sampler"
)

// validateModels checks every entry of models, in the order of their names.
func (c *Config) validateModels() fault.List {
	var fs fault.List
	for _, name := range sortedKeys(c.Models) {
		if name == "" {
			fs.Add("models", "an entry without a name", "want a name that evaluators can give as model")
			continue
		}
		fs.Under("models."+name, c.Models[name].Validate())
	}
	return fs
}

// validateSampling compiles the policy together with the evaluators.
func (c *Config) validateSampling() fault.List {
	_, err := sampler.New(c.Sampling, c.Sampled())
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// stems gives the names that faulty files would have had.
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

// missingFolders finds folders that are named and do not exist. The default ones
// may be absent.
func (c *Config) missingFolders() fault.List {
	var fs fault.List
	for _, f := range []struct{ key, name, byDefault string }{
		{"schemas", c.Schemas, defaultSchemas}, {"rubrics", c.Rubrics, defaultRubrics},
	} {
		if f.name != "" && f.name != f.byDefault && !isDir(c.resolve(f.name)) {
			fs.Add(f.key, fmt.Sprintf("%s is no folder", c.resolve(f.name)), "want a folder, named relative to the file; leave the key out when there is none")
		}
	}
	return fs
}
