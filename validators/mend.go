package validators

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// mender makes a tool's schema compile. What has a meaning in another dialect of
// JSON Schema is translated: upper-case types (Gemini), nullable (OpenAPI), names of
// Python's types, required: true (draft 3), boolean exclusiveMinimum (draft 4), lists
// of items. What has none here is left out, so that the rest can be judged.
//
// A schema with something left out accepts more than the one that was published, and
// never less: a call that it rejects violates the published schema too. So what would
// turn a weaker part into a stricter whole is left out with it: not, if, the
// exclusiveness of oneOf, and unevaluated members.
type mender struct {
	root     any
	alone    bool             // leave out all identifiers and what refers to them
	older    bool             // the schema is of a draft before 2020-12
	draft4   bool             // and before draft 6
	named    bool             // the schema names parts of itself by $id
	seen     map[uintptr]bool // schemas, by their address, that have been mended
	targets  []refTarget
	patterns int      // instructions of the patterns that are kept
	leftOut  []string // "keyword at /path"
	more     int      // left out beyond those
}

// maxLeftOut bounds what a reason lists.
const (
	maxLeftOut      = 3
	maxLeftOutBytes = 160
)

// markLeftOut is a member of schemas of which something has been left out. It is no
// keyword, so the compiler ignores it.
const markLeftOut = "x-evalworker-left-out"

// mend returns the mended schema.
func (m *mender) mend() []byte {
	if root, ok := m.root.(map[string]any); ok {
		m.readDraft(root)
	}
	walk(m.root, func(v any) {
		object, _ := v.(map[string]any)
		_, id := object["$id"].(string)
		m.named = m.named || id
	})
	m.seen = map[uintptr]bool{}
	m.root = m.schema(m.root, nil)
	var apart []refTarget
	for i := 0; i < len(m.targets); i++ { // mending one may find more
		if t := m.targets[i]; m.mendTarget(t) {
			apart = append(apart, t)
		}
	}
	if len(m.leftOut) > 0 {
		m.relax(m.root, nil)
		for _, t := range apart {
			m.relax(t.schema, t.path)
		}
	}
	b, err := json.Marshal(m.root)
	if err != nil { // decoded JSON always marshals
		return nil
	}
	return b
}

// checksNothing reports whether what is left accepts everything.
func (m *mender) checksNothing() bool {
	s, _ := m.root.(map[string]any)
	for keyword := range s {
		if kind := keywordKind(keyword); kind != kindOther && kind != kindText && keyword != "$defs" && keyword != "definitions" ||
			slices.Contains([]string{"type", "enum", "const", "required", "pattern", "format", "$ref", "$dynamicRef", "$recursiveRef"}, keyword) {
			return false
		}
	}
	return s != nil
}

// summary names what was left out.
func (m *mender) summary() string {
	more := m.more
	kept := m.leftOut
	for len(kept) > 1 && len(strings.Join(kept, ", ")) > maxLeftOutBytes {
		kept, more = kept[:len(kept)-1], more+1
	}
	s := strings.Join(kept, ", ")
	if more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

func (m *mender) readDraft(root map[string]any) {
	uri, _ := root["$schema"].(string)
	uri = strings.TrimSuffix(uri, "#")
	if rest, ok := strings.CutPrefix(uri, "https://json-schema.org/draft-0"); ok {
		uri = "http://json-schema.org/draft-0" + rest
	}
	if m.alone || !slices.Contains(drafts(), uri) {
		delete(root, "$schema") // read as 2020-12
		return
	}
	root["$schema"] = uri
	m.older, m.draft4 = uri != draft202012, strings.Contains(uri, "draft-04")
}

// drop removes a keyword of a schema and notes it.
func (m *mender) drop(s map[string]any, keyword string, path []string) {
	delete(s, keyword)
	m.note(s, keyword, path)
}

func (m *mender) note(s map[string]any, keyword string, path []string) {
	s[markLeftOut] = true
	where := keyword + " at /" + strings.Join(path[:min(len(path), maxPathTokens)], "/")
	if len(path) > maxPathTokens {
		where += "/..."
	}
	switch {
	case slices.Contains(m.leftOut, where):
	case len(m.leftOut) == maxLeftOut:
		m.more++
	default:
		m.leftOut = append(m.leftOut, where)
	}
}

// schema mends one schema and all its subschemas. The path leads to the values that
// it is about.
func (m *mender) schema(v any, path []string) any {
	s, ok := v.(map[string]any)
	if !ok {
		if name, isText := v.(string); isText && typeName(name) != "" && len(path) > 0 {
			return map[string]any{"type": typeName(name)} // {"id": "integer"}
		}
		return v
	}
	m.seen[reflect.ValueOf(s).Pointer()] = true
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		if s[keyword] == nil && keyword != "const" && keyword != "default" {
			delete(s, keyword) // how serializers write what is not used
		}
	}
	m.bounds(s)
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		if value, ok := s[keyword]; ok {
			m.keyword(s, keyword, value, path)
		}
	}
	m.requiredOf(s)
	return m.nullable(s)
}

// keyword mends one keyword of a schema.
func (m *mender) keyword(s map[string]any, keyword string, value any, path []string) {
	switch keywordKind(keyword) {
	case kindSchema:
		m.subschema(s, keyword, value, path)
	case kindSchemas:
		list, ok := value.([]any)
		if !ok || len(list) == 0 {
			m.drop(s, keyword, path)
			if keyword == "prefixItems" {
				delete(s, "items") // it is about the items after those
			}
			return
		}
		for i := range list {
			list[i] = m.asSchema(s, keyword, list[i], path)
		}
	case kindNamed:
		m.byName(s, keyword, value, path)
	case kindText:
		if _, ok := value.(string); !ok {
			delete(s, keyword) // an annotation
		}
	case kindNumber, kindCount:
		m.number(s, keyword, value, path)
	case kindFlag:
		if _, ok := value.(bool); !ok {
			m.drop(s, keyword, path)
		}
	default:
		m.special(s, keyword, value, path)
	}
}

// special mends a keyword that has a form of its own.
func (m *mender) special(s map[string]any, keyword string, value any, path []string) {
	switch keyword {
	case "type":
		m.types(s, value, path)
	case "enum":
		if list, ok := value.([]any); ok {
			s[keyword] = distinct(list)
			return
		}
		m.drop(s, keyword, path)
	case "required":
		m.required(s, value, path)
	case "examples":
		if _, ok := value.([]any); !ok {
			delete(s, keyword)
		}
	case "deprecated", "readOnly", "writeOnly":
		if _, ok := value.(bool); !ok {
			delete(s, keyword)
		}
	case "pattern":
		pattern, ok := value.(string)
		if ok {
			pattern, ok = m.pattern(pattern)
		}
		if !ok {
			m.drop(s, keyword, path)
			return
		}
		s[keyword] = pattern
	case "format":
		if _, ok := value.(string); !ok || value == "regex" {
			m.drop(s, keyword, path)
		}
	case "$ref":
		if target, ok := value.(string); !ok || !m.leadsSomewhere(target) {
			m.drop(s, keyword, path)
		}
	case "$dynamicRef", "$recursiveRef":
		if _, ok := value.(string); !ok || m.alone {
			m.drop(s, keyword, path)
		}
	case "$id", "id":
		id, ok := value.(string)
		if _, err := url.Parse(id); m.alone || keyword == "$id" && (!ok || err != nil || strings.Contains(id, "#")) {
			delete(s, keyword)
		}
	case "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary":
		if m.alone {
			delete(s, keyword)
		}
	case "$schema":
		if len(path) > 0 {
			delete(s, keyword)
		}
	}
}

// subschema mends a keyword whose value is a schema.
func (m *mender) subschema(s map[string]any, keyword string, value any, path []string) {
	list, isList := value.([]any)
	switch {
	case isList && keyword == "items":
		for i := range list {
			list[i] = m.asSchema(s, keyword, list[i], below(path, "*"))
		}
		if m.older {
			return
		}
		delete(s, keyword)
		if len(list) > 0 {
			s["prefixItems"] = list
		}
		if rest, ok := s["additionalItems"]; ok {
			s["items"] = m.asSchema(s, keyword, rest, below(path, "*"))
			delete(s, "additionalItems")
		}
		return
	case value == "true" || value == "false":
		s[keyword] = value == "true"
		return
	}
	if slices.Contains([]string{"items", "additionalItems", "additionalProperties", "contains", "unevaluatedItems", "unevaluatedProperties", "propertyNames"}, keyword) {
		path = below(path, "*")
	}
	if mended := m.schema(value, path); isSchema(mended) {
		s[keyword] = mended
		return
	}
	m.drop(s, keyword, path)
}

// asSchema mends an item of a keyword; an item that is not a schema becomes one that
// accepts everything.
func (m *mender) asSchema(s map[string]any, keyword string, value any, path []string) any {
	if mended := m.schema(value, path); isSchema(mended) {
		return mended
	}
	m.note(s, keyword, path)
	return map[string]any{markLeftOut: true}
}

// byName mends a keyword that maps names to schemas.
func (m *mender) byName(s map[string]any, keyword string, value any, path []string) {
	members, ok := value.(map[string]any)
	if !ok {
		m.drop(s, keyword, path)
		m.admitOthers(s)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		at := path
		switch keyword {
		case "$defs", "definitions":
			at = []string{keyword, maskName(name)}
		case "properties":
			at = below(path, maskName(name))
		case "patternProperties":
			at = below(path, "*")
			pattern, ok := m.pattern(name)
			if !ok {
				delete(members, name)
				m.note(s, keyword, path)
				m.admitOthers(s)
				continue
			}
			if pattern != name {
				members[pattern] = members[name]
				delete(members, name)
				name = pattern
			}
		case "dependencies", "dependentRequired":
			if list, ok := members[name].([]any); ok {
				members[name] = distinct(slices.DeleteFunc(list, isNoText))
				continue
			}
			if keyword == "dependentRequired" {
				delete(members, name)
				m.note(s, keyword, path)
				continue
			}
		}
		members[name] = m.asSchema(s, keyword, members[name], at)
	}
}

// admitOthers lets members through that a part which was left out might have named.
func (m *mender) admitOthers(s map[string]any) {
	if others, ok := s["additionalProperties"]; ok && others != true {
		delete(s, "additionalProperties")
	}
}

func isNoText(v any) bool { _, ok := v.(string); return !ok }

func isSchema(v any) bool {
	switch v.(type) {
	case map[string]any, bool:
		return true
	}
	return false
}

func below(path []string, name string) []string { return append(slices.Clip(path), name) }

// distinct returns a list without its repetitions, which older drafts do not allow.
func distinct(list []any) []any {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(v any) bool {
		b, err := json.Marshal(v)
		twice := err != nil || seen[string(b)]
		seen[string(b)] = true
		return twice
	})
}

// number mends a keyword with a number, which Gemini writes as a string.
func (m *mender) number(s map[string]any, keyword string, value any, path []string) {
	text, isText := value.(string)
	n, ok := value.(json.Number)
	if isText {
		n = json.Number(strings.TrimSpace(text))
		ok = json.Valid([]byte(n))
	}
	r := new(big.Rat)
	if ok = ok && !isWide(n.String()); ok {
		_, ok = r.SetString(n.String())
	}
	count := keywordKind(keyword) == kindCount
	if !ok || count && (!r.IsInt() || r.Sign() < 0) || keyword == "multipleOf" && r.Sign() <= 0 {
		m.drop(s, keyword, path)
		return
	}
	if isText {
		s[keyword] = n
	}
}

// bounds translates the boolean exclusiveMinimum and exclusiveMaximum of draft 4.
func (m *mender) bounds(s map[string]any) {
	if m.draft4 {
		return
	}
	for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		flag, ok := s[exclusive].(bool)
		if !ok {
			continue
		}
		delete(s, exclusive)
		if n, has := s[bound]; flag && has {
			s[exclusive] = n
			delete(s, bound)
		}
	}
}

// required mends a list of names. A boolean is draft 3's, and belongs to the schema
// around: requiredOf moves it there.
func (m *mender) required(s map[string]any, value any, path []string) {
	switch v := value.(type) {
	case []any:
		s["required"] = distinct(slices.DeleteFunc(v, isNoText))
	case string:
		if v == "true" || v == "false" {
			s["required"] = v == "true"
			return
		}
		s["required"] = []any{v}
	case bool:
	default:
		m.drop(s, "required", path)
	}
	if flag, ok := s["required"].(bool); ok && (len(path) == 0 || !flag) {
		delete(s, "required")
	}
}

// requiredOf moves the boolean required of the properties of a schema into its own
// list.
func (m *mender) requiredOf(s map[string]any) {
	properties, _ := s["properties"].(map[string]any)
	names, _ := s["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		if flag, ok := property["required"].(bool); ok {
			delete(property, "required")
			if flag {
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		s["required"] = distinct(names)
	}
}
