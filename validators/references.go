package validators

import (
	"encoding/json"
	"maps"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// resource is a schema with a URI of its own: the root of a file, or a schema inside
// of one that has an $id. A file may hold many (a "compound schema document").
type resource struct {
	in      *file
	pointer string // of the resource inside its file
	uri     string // without a fragment
	draft   string // as $schema names it; of the schema around it when it names none
	doc     any
	anchors map[string]bool
	other   *resource // one with the same $id and another content
	apart   bool      // it has another draft than the schema around it, and is compiled as a document of its own
}

// reference is one $ref of a schema file.
type reference struct {
	pointer string // of the keyword
	target  string // as it was written
	base    string // URI that it is relative to
}

// index finds the resources and references of a file. It skips values that are data
// and not schemas (enum, const, default, examples) and properties that happen to be
// named "$ref".
//
// A resource with another draft than the schema around it is taken out of the
// document, with a $ref in its place, because the compiler reads a document in one
// draft.
func (in *file) index() {
	in.root = &resource{in: in, uri: uriOf(in.name), draft: draftOf(in.doc, draft202012), doc: in.doc, anchors: map[string]bool{}}
	in.resources = []*resource{in.root}
	in.visit(in.doc, "", false, in.root)
}

// visit finds what v holds, which belongs to a resource. names says that v maps names
// to schemas. It returns what stands in the place of v.
func (in *file) visit(v any, pointer string, names bool, of *resource) any {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			v[i] = in.visit(item, pointer+"/"+strconv.Itoa(i), false, of)
		}
	case map[string]any:
		around := of
		if !names {
			of = in.open(v, pointer, of)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := pointer + "/" + escapeToken(key)
			switch {
			case names:
				v[key] = in.visit(v[key], child, false, of)
			case key == "$ref":
				if target, ok := v[key].(string); ok {
					in.references = append(in.references, reference{child, target, of.uri})
				}
			case key == "enum", key == "const", key == "default", key == "examples", key == "example":
			default:
				v[key] = in.visit(v[key], child, namesSchemas(key), of)
			}
		}
		if of != around && of.apart {
			return map[string]any{"$ref": of.uri}
		}
	}
	return v
}

// open returns the resource that a schema belongs to, which may be one of its own.
func (in *file) open(schema map[string]any, pointer string, of *resource) *resource {
	draft := of.draft
	if _, has := schema["$id"].(string); has || schema["id"] != nil {
		draft = draftOf(schema, of.draft)
	}
	id, anchor, _ := strings.Cut(idOf(schema, draft), "#")
	if id != "" {
		uri, _, _ := strings.Cut(resolveURI(of.uri, id), "#")
		if pointer == "" {
			of.uri = uri
		} else {
			of = &resource{in: in, pointer: pointer, uri: uri, draft: draft, doc: schema, anchors: map[string]bool{}, apart: draft != of.draft}
			in.resources = append(in.resources, of)
		}
	}
	of.anchors[anchor] = true
	for _, keyword := range [...]string{"$anchor", "$dynamicAnchor"} {
		if name, ok := schema[keyword].(string); ok {
			of.anchors[name] = true
		}
	}
	return of
}

// idOf returns the $id of a schema, which draft 4 calls id. Until draft 7 a $ref
// makes all keywords beside it void.
func idOf(schema map[string]any, draft string) string {
	keyword := "$id"
	at := slices.Index(drafts(), draft)
	if at == 0 {
		keyword = "id"
	}
	if _, refers := schema["$ref"]; refers && at >= 0 && at <= 2 {
		return ""
	}
	id, _ := schema[keyword].(string)
	return id
}

// draftOf returns the draft that a schema declares, or else the one around it.
func draftOf(schema any, around string) string {
	object, _ := schema.(map[string]any)
	if v, ok := object["$schema"]; ok {
		declared, _ := v.(string)
		return strings.TrimSuffix(declared, "#")
	}
	return around
}

// namesSchemas reports whether a keyword's value maps names that its author chose
// to schemas. OpenAPI keeps its schemas under "schemas".
func namesSchemas(keyword string) bool {
	return slices.Contains([]string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies", "schemas"}, keyword)
}

// resolveURI returns the URI that a reference means (RFC 3986). A urn has no
// hierarchy, so only a fragment is relative to it.
func resolveURI(from, reference string) string {
	to, err := url.Parse(reference)
	if err != nil || to.IsAbs() {
		return reference
	}
	if strings.HasPrefix(from, "urn:") {
		if strings.HasPrefix(reference, "#") {
			return from + reference
		}
		return reference
	}
	u, err := url.Parse(from)
	if err != nil {
		return reference
	}
	return u.ResolveReference(to).String()
}

// standalone returns a resource as the text of a document.
func (r *resource) standalone() string {
	if r.pointer == "" && !slices.ContainsFunc(r.in.resources, func(r *resource) bool { return r.apart }) {
		return r.in.text
	}
	doc := r.doc
	if object, ok := doc.(map[string]any); ok && r.pointer != "" {
		object = maps.Clone(object)
		object["$schema"] = r.draft
		if slices.Index(drafts(), r.draft) >= 0 && slices.Index(drafts(), r.draft) <= 2 {
			object["$schema"] = r.draft + "#"
		}
		doc = object
	}
	text, _ := json.Marshal(doc) // it has been decoded from JSON
	return string(text)
}

// register enters the resources of a file that have an $id.
func (f *folder) register(in *file) {
	for _, r := range in.resources {
		if r.uri == uriOf(in.name) {
			continue
		}
		known, ok := f.ids[r.uri]
		if !ok {
			f.ids[r.uri] = r
		} else if known.other == nil && !reflect.DeepEqual(known.doc, r.doc) {
			known.other = r
		}
	}
}

// checkReferences reports the references of a file that lead nowhere or outside the
// folder.
func (f *folder) checkReferences(in *file) {
	for _, r := range in.references {
		if problem, expected := f.follow(in, r); problem != "" {
			f.fault(in, locate(in.text, r.pointer), r.pointer, "$ref "+strconv.Quote(r.target)+" "+problem, expected)
		}
	}
}

// follow returns why a reference may not be followed; nothing when it may.
func (f *folder) follow(in *file, r reference) (problem, expected string) {
	const wantFile = "want a file of the schema folder, such as \"address.json\""
	u, err := url.Parse(r.target)
	switch {
	case err != nil:
		return "is not a URI reference", wantFile
	case u.Scheme == "file":
		return "is an absolute file", wantFile
	}
	uri, fragment, _ := strings.Cut(resolveURI(r.base, r.target), "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	if at := slices.IndexFunc(in.resources, func(own *resource) bool { return own.uri == uri }); at >= 0 {
		return in.resources[at].missing(fragment, uri)
	}
	target, ok := f.ids[uri]
	if ok && target.other != nil {
		return "is the $id of different schemas, in " + target.in.name + " and " + target.other.in.name, "give each schema an $id of its own"
	}
	if ok {
		return target.missing(fragment, uri)
	}
	inFolder, found := strings.CutPrefix(uri, base)
	if !found {
		if slices.Contains(drafts(), uri) {
			return "", ""
		}
		if u.IsAbs() {
			return "is not in the schema folder and nothing is fetched", "put a schema with this $id into the folder, or name a file of it"
		}
		return "means " + uri + ", which is not in the schema folder and nothing is fetched", "put a schema with this $id into the folder"
	}
	if strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, `\`) || strings.Contains(u.Path, `:\`) {
		return "is an absolute path", wantFile
	}
	name, _ := url.PathUnescape(inFolder)
	if u.Path != "" && u.Scheme == "" {
		from, _ := url.PathUnescape(strings.TrimPrefix(r.base, base))
		name = path.Join(path.Dir(from), u.Path)
	}
	if name == ".." || strings.HasPrefix(name, "../") {
		return "leads out of the schema folder", wantFile
	}
	file, ok := f.files[name]
	if !ok {
		return "is not a file in the schema folder", fault.Suggest(name, slices.Sorted(maps.Keys(f.files)), noNames)
	}
	if file.root == nil {
		return "", "" // its own fault has been reported
	}
	return file.root.missing(fragment, uri)
}

// missing returns why a fragment leads to nothing in a resource.
func (r *resource) missing(fragment, uri string) (problem, expected string) {
	where := strings.TrimPrefix(uri, base)
	switch {
	case fragment == "":
	case strings.HasPrefix(fragment, "/"):
		if _, ok := resolvePointer(r.doc, pointerTokens(fragment)); !ok {
			return "leads to nothing in " + where, "want a JSON pointer to a schema that stands there"
		}
	case !r.anchors[fragment]:
		return "leads to nothing in " + where, "want the name of an $anchor there, or a JSON pointer such as #/$defs/name"
	}
	return "", ""
}
