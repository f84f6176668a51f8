package validators

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/jsonscan"
)

// folder is a schema folder while it is compiled.
type folder struct {
	dir    string           // as the person gave it; for faults
	files  map[string]*file // by slash-separated path inside the folder
	ids    map[string]*file // by the $id of the root schema
	faults fault.List
}

type file struct {
	name   string // inside the folder
	text   string
	doc    any
	broken bool // a fault of this file has been reported
}

// compileAll compiles every file, or says all that is wrong with them.
func compileAll(files map[string][]byte, dir string) (*Schemas, fault.List) {
	f := &folder{dir: dir, files: make(map[string]*file, len(files)), ids: map[string]*file{}}
	for name, data := range files {
		f.files[name] = &file{name: name, text: string(data)}
	}
	order := slices.Sorted(maps.Keys(f.files))
	for _, name := range order {
		f.parse(f.files[name])
	}
	for _, name := range order {
		f.checkMeta(f.files[name])
	}
	for _, name := range order {
		f.checkReferences(f.files[name])
	}
	out := &Schemas{byName: make(map[string]*schema, len(order))}
	all := sha256.New()
	for _, name := range order {
		if s := f.compile(f.files[name]); s != nil {
			out.byName[s.name] = s
			all.Write([]byte(s.name + "\x00" + s.digest + "\x00"))
		}
	}
	out.digest = hex.EncodeToString(all.Sum(nil))
	slices.SortStableFunc(f.faults, func(a, b fault.Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out, f.faults
}

// fault reports a mistake at a byte of a file.
func (f *folder) fault(in *file, offset int, pointer, problem, expected string) {
	in.broken = true
	line, column := position(in.text, offset)
	f.faults = append(f.faults, fault.Fault{
		File: f.path(in), Line: line, Column: column, Path: pointer, Problem: problem, Expected: expected,
	})
}

func (f *folder) path(in *file) string {
	if f.dir == "" {
		return in.name
	}
	return path.Join(f.dir, in.name)
}

// parse reads the JSON of one file.
func (f *folder) parse(in *file) {
	s := scanValue(in.text, 0)
	rest := s.end + len(in.text[s.end:]) - len(strings.TrimLeft(in.text[s.end:], " \t\r\n"))
	switch {
	case trimJSON(in.text) == "":
		f.fault(in, 0, "", "empty file", "want a JSON Schema")
	case strings.HasPrefix(in.text, "\ufeff"):
		f.fault(in, 0, "", "invalid JSON: byte order mark", "save the file as UTF-8 without one")
	case s.flaw != jsonscan.FlawNone:
		f.fault(in, s.end, "", "invalid JSON: "+s.flaw.String(), "want a JSON Schema")
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
		if n := countSchemas(in.doc); n > maxSubschemas {
			f.fault(in, 0, "", fmt.Sprintf("%d objects and booleans are too many", n),
				fmt.Sprintf("want at most %d: compiling takes time by the square of them", maxSubschemas))
		}
		if id := rootID(in.doc); id != "" {
			f.ids[id] = in
		}
	}
}

// rootID gives the absolute $id of a schema without its fragment.
func rootID(doc any) string {
	m, _ := doc.(map[string]any)
	id, ok := m["$id"].(string)
	if !ok {
		id, _ = m["id"].(string)
	}
	u, err := url.Parse(id)
	if err != nil || !u.IsAbs() {
		return ""
	}
	u.Fragment = ""
	return strings.TrimSuffix(u.String(), "#")
}

// checkMeta holds a file against the meta-schema of its draft.
func (f *folder) checkMeta(in *file) {
	if in.broken {
		return
	}
	draft := draft202012
	if m, ok := in.doc.(map[string]any); ok {
		if v, ok := m["$schema"]; ok {
			declared, _ := v.(string)
			draft = strings.TrimSuffix(declared, "#")
			if !isDraft(draft) {
				if _, own := f.ids[draft]; own {
					return // a meta-schema of the folder's own; the compiler checks it
				}
				f.fault(in, locate(in.text, "/$schema"), "/$schema", "unsupported draft", "want one of "+strings.Join(drafts(), ", "))
				return
			}
		}
	}
	meta, err := newCompiler(nil).Compile(draft)
	if err != nil {
		f.fault(in, 0, "", "meta-schema: "+err.Error(), "")
		return
	}
	err = meta.Validate(in.doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		seen := map[string]bool{}
		for _, leaf := range leaves(invalid) {
			pointer := unescapeLocation(leaf.InstanceLocation)
			if !seen[pointer] {
				seen[pointer] = true
				f.fault(in, locate(in.text, pointer), pointer, complaint(leaf), "")
			}
		}
	}
}

// complaint words a failure of a schema against its meta-schema. Of a choice it
// gives what each branch wants.
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

// checkReferences says which references of a file lead nowhere, or where they
// must not.
func (f *folder) checkReferences(in *file) {
	if in.broken {
		return
	}
	for _, r := range references(in.doc) {
		wrong := func(problem, expected string) {
			f.fault(in, locate(in.text, r.pointer), r.pointer, "$ref "+strconv.Quote(r.target)+" "+problem, expected)
		}
		to, fragment, refusal := r.within(in.name)
		switch target := f.files[to]; {
		case refusal != "":
			wrong(refusal, "want a file of the schema folder, such as \"address.json\"")
		case to == "" && f.foreign(r.target):
			wrong("is not in the schema folder and nothing is fetched", "put a schema with this $id into the folder, or name a file of it")
		case to == "":
		case target == nil:
			wrong("is no file of the schema folder", meant(to, slices.Sorted(maps.Keys(f.files))))
		case target.doc != nil && strings.HasPrefix(fragment, "/"):
			if _, ok := resolve(target.doc, pointerTokens(fragment)); !ok {
				wrong("leads to nothing in "+to, "")
			}
		}
	}
}

// foreign reports whether an absolute reference leads to no document of ours.
func (f *folder) foreign(target string) bool {
	u, err := url.Parse(target)
	if err != nil || !u.IsAbs() {
		return false
	}
	u.Fragment = ""
	document := strings.TrimSuffix(u.String(), "#")
	_, ours := f.ids[document]
	return !ours && !isDraft(document) && u.Scheme != "urn"
}
