package validators

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// folder is a schema folder that is being compiled.
type folder struct {
	dir    string               // as configured; for faults
	files  map[string]*file     // by slash-separated path inside the folder
	ids    map[string]*resource // by the URI that an $id gives
	faults fault.List
}

type file struct {
	name   string // inside the folder
	text   string
	doc    any
	broken bool // a fault of this file has been reported

	root       *resource   // the whole file
	resources  []*resource // the root, and all schemas with an $id
	references []reference
}

// compileAll compiles every file, or reports all that is wrong with them.
func compileAll(files map[string][]byte, dir string) (*Schemas, fault.List) {
	f := &folder{dir: dir, files: make(map[string]*file, len(files)), ids: map[string]*resource{}}
	for name, data := range files {
		f.files[name] = &file{name: name, text: string(data)}
	}
	order := slices.Sorted(maps.Keys(f.files))
	for _, step := range []func(*file){f.parse, f.checkMeta, f.checkReferences} {
		for _, name := range order {
			if in := f.files[name]; !in.broken {
				step(in)
			}
		}
	}
	out := &Schemas{byName: make(map[string]*schema, len(order))}
	all := sha256.New()
	for _, name := range order {
		in := f.files[name]
		if in.broken {
			continue
		}
		if s := f.compileFile(in); s != nil {
			out.byName[s.name] = s
			all.Write([]byte(s.name + "\x00" + s.digest + "\x00"))
		}
	}
	if len(f.faults) == 0 {
		out.digest = hex.EncodeToString(all.Sum(nil))
		return out, nil
	}
	slices.SortStableFunc(f.faults, func(a, b fault.Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return nil, f.faults
}

// fault reports a mistake at a byte of a file.
func (f *folder) fault(in *file, offset int, pointer, problem, expected string) {
	in.broken = true
	line, column := position(in.text, offset)
	f.faults = append(f.faults, fault.Fault{
		File: path.Join(f.dir, in.name), Line: line, Column: column, Path: pointer, Problem: problem, Expected: expected,
	})
}

// parse reads the JSON of one file.
func (f *folder) parse(in *file) {
	s := scanValue(in.text, 0)
	rest := len(in.text) - len(strings.TrimLeft(in.text[s.end:], " \t\r\n"))
	switch {
	case trimJSON(in.text) == "":
		f.fault(in, 0, "", "empty file", "want a JSON Schema")
	case strings.HasPrefix(in.text, "\ufeff"):
		f.fault(in, 0, "", "invalid JSON: byte order mark", "save the file as UTF-8 without one")
	case s.flaw != jsonscan.FlawNone:
		f.fault(in, s.end, "", "invalid JSON: "+string(s.flaw), "want a JSON Schema")
	case rest < len(in.text):
		f.fault(in, rest, "", "text after the JSON value", "want one JSON Schema")
	case s.depth > maxSchemaDepth:
		f.fault(in, 0, "", "nested too deep", "want at most "+strconv.Itoa(maxSchemaDepth)+" levels")
	case s.wide:
		f.fault(in, 0, "", "a number is beyond the range of a double", "want a smaller exponent")
	default:
		in.doc = decode(in.text)
		if m := countMembers(in.doc); m != s.members {
			f.fault(in, 0, "", "an object has the same key twice", "want each key once")
		}
		subschemas := 0
		walk(in.doc, func(v any) {
			switch v.(type) {
			case bool, map[string]any:
				subschemas++
			}
		})
		if subschemas > maxSubschemas {
			f.fault(in, 0, "", fmt.Sprintf("%d objects and booleans are too many", subschemas),
				fmt.Sprintf("want at most %d: compile time grows with their square", maxSubschemas))
		}
		in.index()
		f.register(in)
	}
}

// checkMeta checks a file against the meta-schemas of its drafts.
func (f *folder) checkMeta(in *file) {
	for _, r := range in.resources {
		if r.pointer == "" || r.apart {
			f.checkDraft(r)
		}
	}
}

// checkDraft checks a resource against the meta-schema of its draft.
func (f *folder) checkDraft(r *resource) {
	in := r.in
	if !slices.Contains(drafts(), r.draft) {
		if _, own := f.ids[r.draft]; !own { // a meta-schema of the folder's own is checked by the compiler
			pointer := r.pointer + "/$schema"
			f.fault(in, locate(in.text, pointer), pointer, "unsupported draft", "want one of "+strings.Join(drafts(), ", "))
		}
		return
	}
	meta, err := newCompiler(loadNothing).Compile(r.draft)
	if err != nil {
		f.fault(in, 0, "", "meta-schema: "+err.Error(), "")
		return
	}
	err = meta.Validate(r.doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		seen := map[string]bool{}
		for _, leaf := range leaves(invalid) {
			pointer := r.pointer + pointerOf(leaf)
			if !seen[pointer] {
				seen[pointer] = true
				f.fault(in, locate(in.text, pointer), pointer, complaint(leaf), "")
			}
		}
	}
}

// complaint describes how a schema violates its meta-schema. For a choice it names
// what each branch wants.
func complaint(ve *jsonschema.ValidationError) string {
	if len(ve.Causes) == 0 {
		return ve.Message
	}
	wants := make([]string, len(ve.Causes))
	for i, c := range ve.Causes {
		wants[i] = complaint(c)
	}
	return strings.Join(wants, "; or ")
}
