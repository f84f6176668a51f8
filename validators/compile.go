package validators

import (
	"bytes"
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

// The supported drafts, by the URI that $schema has without its empty fragment.
const (
	draft4      = "http://json-schema.org/draft-04/schema"
	draft6      = "http://json-schema.org/draft-06/schema"
	draft7      = "http://json-schema.org/draft-07/schema"
	draft201909 = "https://json-schema.org/draft/2019-09/schema"
	draft202012 = "https://json-schema.org/draft/2020-12/schema"
)

func drafts() []string { return []string{draft4, draft6, draft7, draft201909, draft202012} }

func isDraft(uri string) bool { return slices.Contains(drafts(), uri) }

// base is the URI of the schema folder. Its scheme exists nowhere, so that no
// reference can be mistaken for a file or a page.
const base = "schemas://folder/"

// schema is one compiled schema with what its failures need to be told.
type schema struct {
	name     string
	compiled *jsonschema.Schema
	places   map[string]*jsonschema.Schema // by absolute keyword location
	names    map[string]bool               // of properties, anywhere in the schema
	location int                           // bytes of the longest keyword location
	meter    *meter                        // nil: the schema is light and needs none
	digest   string                        // of the schema and all that it refers to
}

// newCompiler gives a compiler that asserts formats and reaches nothing but what
// load hands it. load may be nil: then it reaches nothing.
func newCompiler(load func(uri string) (io.ReadCloser, error)) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	c.LoadURL = load
	if load == nil {
		c.LoadURL = func(string) (io.ReadCloser, error) { return nil, errForeign }
	}
	return c
}

var errForeign = errors.New("not in the schema folder, and nothing is fetched")

// compile compiles one file of a folder, with what it refers to. It gives nil
// when the file, or one that it refers to, has a fault; each fault is reported
// once.
func (f *folder) compile(in *file) *schema {
	if in.broken {
		return nil
	}
	uris := make(map[string]*file, len(f.files))
	for name, of := range f.files {
		uris[uriOf(name)] = of
	}
	used := map[string]*file{}
	broken := false
	s, err := compile(&meter{}, uriOf(in.name), func(uri string) (io.ReadCloser, error) {
		of, ok := uris[uri]
		if !ok {
			of, ok = f.ids[uri]
		}
		if !ok {
			return nil, fmt.Errorf("$ref to %q: %w", strings.TrimPrefix(uri, base), errForeign)
		}
		used[of.name] = of
		broken = broken || of.broken
		return io.NopCloser(strings.NewReader(of.text)), nil
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
		sum.Write([]byte(name + "\x00"))
		sum.Write([]byte(used[name].text))
		sum.Write([]byte{0})
	}
	s.digest = hex.EncodeToString(sum.Sum(nil))
	return s
}

func uriOf(name string) string {
	return base + (&url.URL{Path: name}).EscapedPath()
}

// compile compiles the schema at uri. Its validations are bounded by the meter.
func compile(m *meter, uri string, load func(uri string) (io.ReadCloser, error)) (s *schema, err error) {
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
		if wrapped, ok := errors.AsType[*jsonschema.SchemaError](err); ok {
			err = wrapped.Err
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "jsonschema: "))
	}
	s = &schema{compiled: compiled, places: map[string]*jsonschema.Schema{}, names: map[string]bool{}}
	s.visit(compiled)
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
	return compile(&meter{patterns: true}, uri, func(asked string) (io.ReadCloser, error) {
		if asked != uri {
			return nil, errForeign
		}
		return io.NopCloser(bytes.NewReader(document)), nil
	})
}

// visit notes a compiled schema and all below it.
func (s *schema) visit(at *jsonschema.Schema) {
	if at == nil {
		return
	}
	if _, seen := s.places[at.Location]; seen {
		return
	}
	s.places[at.Location] = at
	s.location = max(s.location, len(at.Location))
	for name, child := range at.Properties {
		s.names[name] = true
		s.visit(child)
	}
	for _, name := range at.Required {
		s.names[name] = true
	}
	for _, names := range at.DependentRequired {
		for _, name := range names {
			s.names[name] = true
		}
	}
	for _, child := range at.PatternProperties {
		s.visit(child)
	}
	for _, child := range at.DependentSchemas {
		s.visit(child)
	}
	for _, dependency := range at.Dependencies {
		s.visitAny(dependency)
	}
	for _, list := range [][]*jsonschema.Schema{at.AllOf, at.AnyOf, at.OneOf, at.PrefixItems} {
		for _, child := range list {
			s.visit(child)
		}
	}
	for _, child := range []*jsonschema.Schema{
		at.Ref, at.RecursiveRef, at.DynamicRef, at.Not, at.If, at.Then, at.Else, at.PropertyNames,
		at.UnevaluatedProperties, at.Items2020, at.Contains, at.UnevaluatedItems, at.ContentSchema,
	} {
		s.visit(child)
	}
	for _, value := range []any{at.AdditionalProperties, at.Items, at.AdditionalItems} {
		s.visitAny(value)
	}
}

// visitAny visits the schemas of a keyword whose value has several shapes.
func (s *schema) visitAny(value any) {
	switch v := value.(type) {
	case *jsonschema.Schema:
		s.visit(v)
	case []*jsonschema.Schema:
		for _, child := range v {
			s.visit(child)
		}
	}
}
