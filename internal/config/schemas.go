package config

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/validators"
)

// loadSchemas gives the names of the schemas in a folder and what is wrong with
// its files. A file with a fault has a name all the same: that nobody knows the
// schema would be an echo of its fault.
func loadSchemas(dir string) ([]string, fault.List) {
	if dir == "" {
		return nil, nil
	}
	_, faults := validators.LoadSchemas(dir)
	files, _ := schemaTree(dir)
	names := make([]string, len(files))
	for i, file := range files {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			rel = file
		}
		names[i] = strings.TrimSuffix(filepath.ToSlash(rel), ".json")
	}
	return names, faults
}

// schemaTree gives the files of schemas below dir and the folders they stand
// in, dir included. What cannot be read is not there. As for the validators, dir
// may be a link, which Kubernetes makes of a folder that it mounts; what is a
// link inside is none of its folders.
func schemaTree(dir string) (files, folders []string) {
	_ = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		full := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil:
			return nil
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			folders = append(folders, full)
		case path.Ext(name) == ".json":
			files = append(files, full)
		}
		return nil
	})
	return files, folders
}

// validatorKinds gives the types of evaluator that are validators.
func validatorKinds() []string {
	var names []string
	for _, k := range validators.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// allTypes gives every type of evaluator.
func allTypes() []string { return slices.Concat(validatorKinds(), []string{typeJudge}) }
