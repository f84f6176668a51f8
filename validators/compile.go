package validators

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

const draft202012 = "https://json-schema.org/draft/2020-12/schema"

// drafts returns the supported drafts, by the URI of $schema without its empty
// fragment.
func drafts() []string {
	return []string{
		"http://json-schema.org/draft-04/schema", "http://json-schema.org/draft-06/schema", "http://json-schema.org/draft-07/schema",
		"https://json-schema.org/draft/2019-09/schema", draft202012,
	}
}

// base is the URI of the schema folder. Its scheme is made up, so that no reference
// can be mistaken for a file or a web page.
const base = "schemas://folder/"

// schema is one compiled schema with the data that describing its failures needs.
type schema struct {
	name     string
	compiled *jsonschema.Schema
	quick    *quick
	places   map[string]*jsonschema.Schema // by absolute keyword location
	names    map[string]bool               // of properties, anywhere in the schema
	location int                           // bytes of the longest keyword location
	meter    *meter                        // nil: the schema is light and needs none
	digest   string                        // of the schema and all that it refers to
}

// loader returns the text of a document that a schema refers to.
type loader func(uri string) (string, error)

// newCompiler returns a compiler that asserts formats and reaches nothing but what
// load returns.
func newCompiler(load loader) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	c.LoadURL = func(uri string) (io.ReadCloser, error) {
		text, err := load(uri)
		return io.NopCloser(strings.NewReader(text)), err
	}
	return c
}

func loadNothing(string) (string, error) { return "", errForeign }

var errForeign = errors.New("not in the schema folder, and nothing is fetched")

// compileFile compiles one file of a folder and the files that it refers to. It returns
// nil when one of them has a fault, which is reported once.
func (f *folder) compileFile(in *file) *schema {
	uris := make(map[string]*resource, len(f.files))
	for name, of := range f.files {
		if of.root != nil {
			uris[uriOf(name)] = of.root
		}
	}
	used := map[string]*file{}
	broken := false
	s, err := compileSchema(&meter{}, uriOf(in.name), func(uri string) (string, error) {
		at := slices.IndexFunc(in.resources, func(own *resource) bool { return own.uri == uri })
		of, ok := uris[uri]
		switch {
		case ok:
		case at >= 0:
			of = in.resources[at]
		default:
			of, ok = f.ids[uri]
			if !ok {
				return "", fmt.Errorf("$ref to %q: %w", strings.TrimPrefix(uri, base), errForeign)
			}
		}
		used[of.in.name] = of.in
		broken = broken || of.in.broken
		return of.standalone(), nil
	})
	if err != nil {
		if !broken {
			f.fault(in, 0, "", strings.ReplaceAll(err.Error(), base, ""), "want a JSON Schema that compiles")
		}
		return nil
	}
	s.name = strings.TrimSuffix(in.name, ".json")
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(used)) {
		sum.Write([]byte(name + "\x00" + used[name].text + "\x00"))
	}
	s.digest = hex.EncodeToString(sum.Sum(nil))
	return s
}

func uriOf(name string) string {
	return base + (&url.URL{Path: name}).EscapedPath()
}

// compileSchema compiles the schema at uri. Its validations are bounded by the meter.
func compileSchema(m *meter, uri string, load loader) (s *schema, err error) {
	// The library panics on a few schemas that its meta-schemas let through, for
	// example a $ref into the middle of an enum.
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, errors.New("a keyword has a value of the wrong type")
		}
	}()
	c := newCompiler(load)
	c.RegisterExtension("meter", nil, m)
	compiled, err := c.Compile(uri)
	if err != nil {
		if outer, ok := errors.AsType[*jsonschema.SchemaError](err); ok {
			err = outer.Err
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "jsonschema: "))
	}
	s = &schema{compiled: compiled, quick: newQuick(compiled), places: map[string]*jsonschema.Schema{}, names: map[string]bool{}}
	s.add(compiled)
	if m.used {
		s.meter = m
		return s, nil
	}
	for _, at := range s.places {
		if at.Extensions != nil { // a meta-schema has none, and is shared
			at.Extensions = nil
		}
	}
	return s, nil
}

// compileDocument compiles a schema that came with an event, stands alone and
// may refer to nothing but itself.
func compileDocument(document []byte) (*schema, error) {
	const uri = base + "document"
	return compileSchema(&meter{patterns: true}, uri, func(asked string) (string, error) {
		if asked != uri {
			return "", errForeign
		}
		return string(document), nil
	})
}

// add records a compiled schema and all its subschemas.
func (s *schema) add(at *jsonschema.Schema) {
	if at == nil || s.places[at.Location] != nil {
		return
	}
	s.places[at.Location] = at
	s.location = max(s.location, len(at.Location))
	names := slices.AppendSeq(slices.Clone(at.Required), maps.Keys(at.Properties))
	for _, more := range at.DependentRequired {
		names = append(names, more...)
	}
	for _, name := range names {
		s.names[name] = true
	}
	for _, child := range at.PatternProperties {
		s.add(child)
	}
	for _, dependency := range at.Dependencies {
		s.addAll(dependency)
	}
	for _, children := range []any{
		at.Properties, at.DependentSchemas, at.AllOf, at.AnyOf, at.OneOf, at.PrefixItems,
		at.Ref, at.RecursiveRef, at.DynamicRef, at.Not, at.If, at.Then, at.Else, at.PropertyNames,
		at.UnevaluatedProperties, at.Items2020, at.Contains, at.UnevaluatedItems, at.ContentSchema,
		at.AdditionalProperties, at.Items, at.AdditionalItems,
	} {
		s.addAll(children)
	}
}

// addAll adds the schemas in a keyword's value, which may have several shapes.
func (s *schema) addAll(children any) {
	switch c := children.(type) {
	case *jsonschema.Schema:
		s.add(c)
	case []*jsonschema.Schema:
		for _, child := range c {
			s.add(child)
		}
	case map[string]*jsonschema.Schema:
		for _, child := range c {
			s.add(child)
		}
	}
}
