package validators

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
)

// Schemas are the JSON Schemas of one folder, compiled. They are immutable and
// safe for concurrent use; a nil *Schemas is an empty folder.
type Schemas struct {
	byName map[string]*schema
	digest string // of all schemas together
}

// Digests returns a digest of each schema and of all that it refers to, by its name.
func (s *Schemas) Digests() map[string]string {
	out := map[string]string{}
	if s != nil {
		for name, one := range s.byName {
			out[name] = one.digest
		}
	}
	return out
}

// Bounds of a schema folder. Exceeding one is a fault.
const (
	maxSchemaFiles = 1000
	maxSchemaBytes = 1 << 20
	maxSchemaDepth = 128
	// maxSubschemas bounds the objects and booleans of one file: compiling ten
	// thousand takes some two seconds, and the time grows with the square.
	maxSubschemas = 10_000
)

// LoadSchemas reads and compiles every file NAME.json below dir; without a dir
// there are none. A schema in a folder of its own is named FOLDER/NAME. Other files
// are ignored, and so are files and folders whose names begin with a dot.
//
// Drafts 4, 6, 7, 2019-09 and 2020-12 are understood; a schema without $schema
// is read as 2020-12. The keyword format is asserted. Patterns are RE2. A $ref
// leads to a file of the folder, to the $id of one, or to a published
// meta-schema; nothing is fetched, and no symbolic link leads out of the folder.
//
// All faults of all files are reported together, with the JSON pointer of the place.
func LoadSchemas(dir string) (*Schemas, fault.List) {
	if dir == "" {
		return NewSchemas(nil)
	}
	root, err := openFolder(dir)
	if err != nil {
		return nil, fault.List{{File: dir, Problem: "schema folder: " + withoutPath(err), Expected: "want a folder of NAME.json files"}}
	}
	defer func() { _ = root.Close() }() // opened for reading only
	var faults fault.List
	report := func(name, problem, expected string) {
		faults = append(faults, fault.Fault{File: path.Join(dir, name), Problem: problem, Expected: expected})
	}
	files := make(map[string][]byte)
	walk := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			report(name, withoutPath(err), "want a readable folder")
			return nil
		case name != "." && strings.HasPrefix(path.Base(name), ".") && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".json" || strings.HasPrefix(path.Base(name), "."):
			return nil
		case len(files) == maxSchemaFiles:
			faults = append(faults, fault.Fault{File: dir, Problem: fmt.Sprintf("more than %d schemas", maxSchemaFiles), Expected: "want fewer files NAME.json below one folder"})
			return fs.SkipAll
		}
		data, err := readBounded(root, name)
		if err != nil {
			report(name, "cannot be read: "+withoutPath(err), "want a regular file inside the schema folder")
			return nil
		}
		files[name] = data
		return nil
	}
	if err := fs.WalkDir(root.FS(), ".", walk); err != nil {
		faults = append(faults, fault.Fault{File: dir, Problem: withoutPath(err), Expected: "want a readable folder of NAME.json files"})
	}
	schemas, more := compileAll(files, dir)
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, faults
	}
	return schemas, nil
}

// NewSchemas is LoadSchemas for files in memory: NAME.json to its content. The
// suffix .json may be left out of the name.
func NewSchemas(files map[string][]byte) (*Schemas, fault.List) {
	named := make(map[string][]byte, len(files))
	for name, data := range files {
		named[strings.TrimSuffix(path.Clean(name), ".json")+".json"] = data
	}
	return compileAll(named, "")
}

func (s *Schemas) lookup(name string) (*schema, bool) {
	if s == nil {
		return nil, false
	}
	known, ok := s.byName[name]
	return known, ok
}

// openFolder opens a folder. It looks first, because opening a named pipe would wait.
func openFolder(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

func readBounded(root *os.Root, name string) ([]byte, error) {
	data, err := regular.ReadIn(root, name, maxSchemaBytes+1)
	if err == nil && len(data) > maxSchemaBytes {
		err = fmt.Errorf("larger than %d bytes", maxSchemaBytes)
	}
	return data, err
}

// withoutPath returns the text of an error without the path, which the fault names.
func withoutPath(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
