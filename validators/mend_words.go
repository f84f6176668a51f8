package validators

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// The kinds of a keyword's value.
type valueKind int

const (
	kindOther   valueKind = iota // not a keyword, or one with a form of its own
	kindSchema                   // a schema
	kindSchemas                  // a list of schemas
	kindNamed                    // schemas, or lists of names, by name
	kindNumber                   // a number
	kindCount                    // a whole number from 0
	kindFlag                     // true or false
	kindText                     // an annotation
)

// keywordKind returns the kind of a keyword's value.
func keywordKind(keyword string) valueKind {
	switch keyword {
	case "items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else",
		"unevaluatedItems", "unevaluatedProperties", "contentSchema":
		return kindSchema
	case "allOf", "anyOf", "oneOf", "prefixItems":
		return kindSchemas
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies", "dependentRequired":
		return kindNamed
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return kindNumber
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		return kindCount
	case "uniqueItems":
		return kindFlag
	case "title", "description", "$comment", "contentEncoding", "contentMediaType":
		return kindText
	}
	return kindOther
}

// hasKeyword reports whether an object has a keyword of JSON Schema, with such a value
// as it takes. One without is not a schema, although it compiles to one that accepts
// everything: a map of names to types, for example.
func hasKeyword(object map[string]any) bool {
	for keyword, value := range object {
		_, isText := value.(string)
		_, isObject := value.(map[string]any)
		switch kind := keywordKind(keyword); {
		case kind == kindText:
			if isText {
				return true
			}
		case kind != kindOther, keyword == "const", keyword == "default", keyword == "nullable":
			return true
		case slices.Contains([]string{"$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$schema", "$anchor", "pattern", "format"}, keyword):
			if isText {
				return true
			}
		case keyword == "type" || keyword == "enum" || keyword == "required" || keyword == "examples":
			if !isObject {
				return true
			}
		}
	}
	return false
}

// typeName returns the type of JSON Schema that a word for a type means, in the
// spelling of Gemini and of Python too; empty for another word.
func typeName(word string) string {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "string", "str", "text":
		return "string"
	case "integer", "int", "int32", "int64", "long":
		return "integer"
	case "number", "float", "double", "decimal":
		return "number"
	case "boolean", "bool":
		return "boolean"
	case "object", "dict", "map":
		return "object"
	case "array", "list", "tuple", "set":
		return "array"
	case "null", "none", "nonetype":
		return "null"
	}
	return ""
}

// types mends the value of type. The word any, and Gemini's for an absent type, say
// nothing about a value, so nothing is lost with them.
func (m *mender) types(s map[string]any, value any, path []string) {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	var names []any
	for _, v := range list {
		word, _ := v.(string)
		switch name := typeName(word); {
		case name != "":
			names = append(names, name)
		case slices.Contains([]string{"any", "type_unspecified", "unspecified"}, strings.ToLower(strings.TrimSpace(word))):
			delete(s, "type")
			return
		default:
			m.drop(s, "type", path)
			return
		}
	}
	switch names = distinct(names); {
	case len(names) == 0:
		delete(s, "type")
	case isList:
		s["type"] = names
	default:
		s["type"] = names[0]
	}
}

// nullable translates OpenAPI's nullable.
func (m *mender) nullable(s map[string]any) any {
	flag, has := s["nullable"]
	if !has {
		return s
	}
	delete(s, "nullable")
	if flag != true && flag != "true" {
		return s
	}
	name, simple := s["type"].(string)
	for keyword := range s {
		switch keyword {
		case "$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "const":
			simple = false
		}
	}
	if !simple {
		either := map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}
		if required, ok := s["required"].(bool); ok { // of the schema around
			delete(s, "required")
			either["required"] = required
		}
		return either
	}
	s["type"] = distinct([]any{name, "null"})
	if values, ok := s["enum"].([]any); ok {
		s["enum"] = distinct(append(values, nil))
	}
	return s
}

// pattern returns a pattern in RE2's spelling, and counts it. It reports false for
// one that RE2 lacks and for one that would exceed the bounds.
func (m *mender) pattern(p string) (string, bool) {
	p = translateEscapes(p)
	n, ok := instructionsOf(p)
	if !ok || m.patterns+n > maxToolInstructions {
		return "", false
	}
	m.patterns += n
	return p, true
}

// translateEscapes writes \u00e9 of ECMAScript as \x{00e9} of RE2.
func translateEscapes(p string) string {
	var b strings.Builder
	for len(p) > 0 {
		switch {
		case p[0] != '\\' || len(p) == 1:
			b.WriteByte(p[0])
			p = p[1:]
		case p[1] == 'u' && len(p) >= 6 && strings.Trim(p[2:6], "0123456789abcdefABCDEF") == "":
			b.WriteString(`\x{` + p[2:6] + `}`)
			p = p[6:]
		default:
			b.WriteString(p[:2])
			p = p[2:]
		}
	}
	return b.String()
}

// leadsSomewhere reports whether a reference leads to a part of the schema.
func (m *mender) leadsSomewhere(target string) bool {
	fragment, local := strings.CutPrefix(target, "#")
	switch {
	case !local:
		return m.named && !m.alone
	case fragment == "":
		return true
	case strings.HasPrefix(fragment, "/"):
		pointer, err := url.PathUnescape(fragment)
		tokens := pointerTokens(pointer)
		v, ok := resolvePointer(m.root, tokens)
		if s, isObject := v.(map[string]any); isObject {
			m.targets = append(m.targets, refTarget{s, tokens})
		}
		return err == nil && ok && isSchema(v)
	}
	return !m.alone
}

// refTarget is a part of the schema that a reference leads to.
type refTarget struct {
	schema map[string]any
	path   []string
}

// mendTarget mends the target of a reference that stands where no keyword holds schemas,
// such as in OpenAPI's components. It reports false for one that has been mended.
func (m *mender) mendTarget(t refTarget) bool {
	if m.seen[reflect.ValueOf(t.schema).Pointer()] {
		return false
	}
	m.seen[reflect.ValueOf(t.schema).Pointer()] = true
	path := make([]string, len(t.path))
	for i, token := range t.path {
		path[i] = maskName(token)
	}
	if mended, ok := m.schema(maps.Clone(t.schema), path).(map[string]any); ok {
		if _, flag := mended["required"].(bool); flag { // there is no schema around
			delete(mended, "required")
		}
		clear(t.schema)
		maps.Copy(t.schema, mended)
	}
	return true
}

// relax leaves out what would turn the weaker parts of a schema into a stricter
// whole. A part is weaker if something was left out of it, or may be if it refers to
// another part.
func (m *mender) relax(v any, path []string) {
	s, ok := v.(map[string]any)
	if !ok {
		return
	}
	if weaker(s["not"]) {
		m.drop(s, "not", path)
	}
	if weaker(s["if"]) {
		m.drop(s, "if", path)
		delete(s, "then")
		delete(s, "else")
	}
	if branches, ok := s["oneOf"].([]any); ok && slices.ContainsFunc(branches, weaker) {
		m.drop(s, "oneOf", path)
		all, _ := s["allOf"].([]any)
		s["allOf"] = append(all, map[string]any{"anyOf": branches})
	}
	if weaker(s["contains"]) && s["maxContains"] != nil {
		m.drop(s, "maxContains", path)
	}
	for _, keyword := range []string{"unevaluatedProperties", "unevaluatedItems"} {
		if _, ok := s[keyword]; ok {
			m.drop(s, keyword, path)
		}
	}
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		switch keywordKind(keyword) {
		case kindSchema:
			m.relax(s[keyword], path)
			if list, ok := s[keyword].([]any); ok {
				m.relaxAll(list, path)
			}
		case kindSchemas:
			list, _ := s[keyword].([]any)
			m.relaxAll(list, path)
		case kindNamed:
			members, _ := s[keyword].(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(members)) {
				m.relax(members[name], below(path, maskName(name)))
			}
		}
	}
}

func (m *mender) relaxAll(list []any, path []string) {
	for _, v := range list {
		m.relax(v, path)
	}
}

// weaker reports whether something was left out of a schema, or may have been.
func weaker(v any) bool {
	found := false
	walk(v, func(v any) {
		s, _ := v.(map[string]any)
		for _, keyword := range []string{markLeftOut, "$ref", "$dynamicRef", "$recursiveRef"} {
			if _, ok := s[keyword]; ok {
				found = true
			}
		}
	})
	return found
}
