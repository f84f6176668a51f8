package judges

import (
	"embed"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

//go:embed rubrics/*.yaml
var builtIn embed.FS

// maxRubricFile bounds a rubric's file, in bytes.
const maxRubricFile = 1 << 20

// BuiltIn returns a new copy of the built-in rubrics, by name.
func BuiltIn() map[string]*Rubric {
	entries, _ := builtIn.ReadDir("rubrics")
	rubrics, _ := parseRubrics("rubrics", entries, builtIn.ReadFile) // a test ensures that there are no faults
	return rubrics
}

// LoadRubrics returns the built-in rubrics and those of the files NAME.yaml in dir;
// a file replaces the built-in rubric of its name. With an empty dir it returns
// only the built-in ones. It reports the faults of all files.
func LoadRubrics(dir string) (map[string]*Rubric, fault.List) {
	rubrics := BuiltIn()
	if dir == "" {
		return rubrics, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return rubrics, fault.List{{File: dir, Problem: "cannot be read as a folder of rubrics", Expected: withoutPath(err)}}
	}
	fromDir, faults := parseRubrics(dir, entries, readBounded)
	maps.Copy(rubrics, fromDir)
	return rubrics, faults
}

// parseRubrics reads the rubrics among the entries of a folder.
func parseRubrics(folder string, entries []fs.DirEntry, read func(path string) ([]byte, error)) (map[string]*Rubric, fault.List) {
	out := map[string]*Rubric{}
	var faults fault.List
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		name, isYAML := strings.CutSuffix(entry.Name(), ".yaml")
		if strings.HasSuffix(entry.Name(), ".yml") {
			faults = append(faults, fault.Fault{File: file, Problem: "is not read", Expected: "rename it to .yaml"})
		}
		if entry.IsDir() || !isYAML || strings.HasPrefix(name, ".") {
			continue
		}
		data, err := read(file)
		if err != nil {
			faults = append(faults, fault.Fault{File: file, Problem: "cannot be read", Expected: withoutPath(err)})
			continue
		}
		r, part := parseRubric(file, name, data)
		faults = append(faults, part...)
		if len(part) == 0 {
			out[name] = r
		}
	}
	return out, faults
}

// parseRubric parses one rubric, which is named after its file.
func parseRubric(file, name string, data []byte) (*Rubric, fault.List) {
	r := defaultRubric()
	r.Name = name
	doc, faults := strictyaml.Decode(file, data, r)
	var more fault.List
	if r.Name != name && !doc.Broken("name") {
		more.Add("name", "differs from the file's", "leave it out, or rename the file to the rubric's name")
	}
	more = append(more, r.Validate()...)
	for _, f := range doc.Locate(more) {
		if !doc.Broken(f.Path) {
			faults = append(faults, f)
		}
	}
	return r, faults
}

func readBounded(path string) ([]byte, error) {
	data, err := regular.Read(path, maxRubricFile+1)
	if err == nil && len(data) > maxRubricFile {
		err = errors.New("a rubric is at most 1 MB")
	}
	return data, err
}

// withoutPath returns the error's message without the path, which the fault names.
func withoutPath(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
