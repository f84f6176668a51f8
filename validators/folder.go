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

// folder is a schema folder that is being compiled.
type folder struct {
	dir    string           // as configured; for faults
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

// compileAll compiles every file, or reports all that is wrong with them.
func compileAll(files map[string][]byte, dir string) (*Schemas, fault.List) {
	f := &folder{dir: dir, files: make(map[string]*file, len(files)), ids: map[string]*file{}}
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
		object, _ := in.doc.(map[string]any)
		id, _ := idOf(object)
		if document := documentOf(id); document != "" {
			f.ids[document] = in
		}
	}
}

// idOf returns the $id of a schema, which draft 4 calls id.
func idOf(schema map[string]any) (id string, ok bool) {
	if id, ok = schema["$id"].(string); !ok {
		id, ok = schema["id"].(string)
	}
	return id, ok
}

// documentOf returns an absolute URI without its fragment; empty for any other.
func documentOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() {
		return ""
	}
	u.Fragment = ""
	return strings.TrimSuffix(u.String(), "#")
}

// checkMeta checks a file against the meta-schema of its draft.
func (f *folder) checkMeta(in *file) {
	draft := draft202012
	object, _ := in.doc.(map[string]any)
	if v, ok := object["$schema"]; ok {
		declared, _ := v.(string)
		draft = strings.TrimSuffix(declared, "#")
	}
	if !slices.Contains(drafts(), draft) {
		if _, own := f.ids[draft]; !own { // a meta-schema of the folder's own is checked by the compiler
			f.fault(in, locate(in.text, "/$schema"), "/$schema", "unsupported draft", "want one of "+strings.Join(drafts(), ", "))
		}
		return
	}
	meta, err := newCompiler(loadNothing).Compile(draft)
	if err != nil {
		f.fault(in, 0, "", "meta-schema: "+err.Error(), "")
		return
	}
	err = meta.Validate(in.doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		seen := map[string]bool{}
		for _, leaf := range leaves(invalid) {
			pointer := pointerOf(leaf)
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

// checkReferences reports the references of a file that lead nowhere or outside the
// folder.
func (f *folder) checkReferences(in *file) {
	for _, r := range findReferences(in.doc, "", false, false) {
		wrong := func(problem, expected string) {
			f.fault(in, locate(in.text, r.pointer), r.pointer, "$ref "+strconv.Quote(r.target)+" "+problem, expected)
		}
		to, fragment, problem := r.resolve(in.name)
		switch target := f.files[to]; {
		case problem != "":
			wrong(problem, "want a file of the schema folder, such as \"address.json\"")
		case to == "" && f.foreign(r.target):
			wrong("is not in the schema folder and nothing is fetched", "put a schema with this $id into the folder, or name a file of it")
		case to == "":
		case target == nil:
			wrong("is not a file in the schema folder", nearestOr(to, slices.Sorted(maps.Keys(f.files))))
		case target.doc != nil && strings.HasPrefix(fragment, "/"):
			if _, ok := resolvePointer(target.doc, pointerTokens(fragment)); !ok {
				wrong("leads to nothing in "+to, "")
			}
		}
	}
}

// foreign reports whether an absolute reference leads to a document that is neither
// in the folder nor a meta-schema.
func (f *folder) foreign(target string) bool {
	document := documentOf(target)
	_, ours := f.ids[document]
	return document != "" && !ours && !slices.Contains(drafts(), document) && !strings.HasPrefix(document, "urn:")
}

// reference is one $ref of a schema file.
type reference struct {
	pointer string // of the keyword
	target  string // as it was written
	based   bool   // an $id above it changes what it is relative to
}

// findReferences returns every $ref of a schema document. It skips values that are
// data and not schemas (enum, const, default, examples) and properties that happen
// to be named "$ref". names says that v maps names to schemas.
func findReferences(v any, pointer string, names, based bool) []reference {
	var found []reference
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			found = append(found, findReferences(item, pointer+"/"+strconv.Itoa(i), false, based)...)
		}
	case map[string]any:
		id, ok := idOf(v)
		based = based || !names && ok && !strings.HasPrefix(id, "#")
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := pointer + "/" + escapeToken(key)
			switch {
			case names:
				found = append(found, findReferences(v[key], child, false, based)...)
			case key == "$ref":
				if target, ok := v[key].(string); ok {
					found = append(found, reference{child, target, based})
				}
			case key == "enum", key == "const", key == "default", key == "examples", key == "example":
			default:
				found = append(found, findReferences(v[key], child, namesSchemas(key), based)...)
			}
		}
	}
	return found
}

// namesSchemas reports whether a keyword's value maps names that its author chose
// to schemas.
func namesSchemas(keyword string) bool {
	return slices.Contains([]string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}, keyword)
}

// resolve returns the file in the folder, which may be the referring file itself, and
// the fragment that a reference leads to, or why it may not be followed. All are
// empty for a reference whose meaning depends on an $id, which the compiler resolves.
func (r reference) resolve(from string) (to, fragment, problem string) {
	u, err := url.Parse(r.target)
	switch {
	case err != nil:
		return "", "", "is not a URI reference"
	case u.Scheme == "file":
		return "", "", "is an absolute file"
	case u.Scheme != "" || u.Host != "":
		return "", "", "" // an $id of the folder or a meta-schema; the loader rejects others
	case strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, `\`) || strings.Contains(u.Path, `:\`):
		return "", "", "is an absolute path"
	}
	to = from
	if u.Path != "" {
		to = path.Join(path.Dir(from), u.Path)
	}
	switch {
	case to == ".." || strings.HasPrefix(to, "../"):
		return "", "", "leads out of the schema folder"
	case r.based:
		return "", "", ""
	}
	return to, u.Fragment, ""
}
