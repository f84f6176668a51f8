package validators

import (
	"cmp"
	"encoding/json"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// Bounds of the tools that one event may offer, because the time to compile a schema
// grows with the square of its subschemas. Tools beyond them cannot be judged.
const (
	maxToolsBytes  = 256 << 10
	maxTools       = 256
	maxToolMembers = 2000 // members of all schemas together
	maxToolDepth   = 48
	maxToolName    = 64
)

// Bounds of the patterns in the schemas of those tools. An operator controls the
// schema folder, but tools come with the event, and its sender could craft both a
// pattern and a text that keep a worker busy.
const (
	maxToolPattern      = 1000     // bytes of one pattern
	maxToolInstructions = 1000     // of all patterns of one schema, compiled
	maxToolText         = 64 << 10 // bytes of arguments that are validated against a schema with patterns
)

// Why the tools of an event cannot be used.
const (
	toolsUnreadable = "tools unreadable"
	toolsTooLarge   = "tools too large"
)

// toolset holds the tools that an event offered, ready to check calls. It is
// immutable.
type toolset struct {
	tools map[string]tool
	bad   string // why the tools cannot be used; empty: they can
}

type tool struct {
	schema    *schema // nil: any arguments
	freeText  bool    // the arguments are free text and not JSON
	bad       bool    // there is a schema and it does not compile
	patterned bool    // the schema has patterns, so it validates shorter texts only
}

// toolOffer is one tool in any of the forms in which applications log them.
type toolOffer struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Parameters  json.RawMessage `json:"parameters"`
	InputSchema json.RawMessage `json:"input_schema"`
	InputCamel  json.RawMessage `json:"inputSchema"`
	Schema      json.RawMessage `json:"schema"`
	Function    *toolOffer      `json:"function"`
	Custom      *toolOffer      `json:"custom"`
	Spec        *toolOffer      `json:"toolSpec"`             // Bedrock
	Declared    []toolOffer     `json:"functionDeclarations"` // Gemini
}

// newToolset reads the tools of an event: a list of {name, parameters}, where
// parameters may also be called input_schema, inputSchema or schema, a list of
// {type: "function", function: {...}}, {toolSpec: {...}} or {functionDeclarations:
// [...]}, a list of names, {tools: [...]} around such a list, one tool without a
// list, or an object of schemas by name.
func newToolset(raw json.RawMessage) *toolset {
	found := scanValue(string(raw), 0)
	t := &toolset{tools: map[string]tool{}}
	switch {
	case len(raw) > maxToolsBytes || found.members > maxToolMembers || found.depth > maxToolDepth,
		found.values > maxValues || found.allPaths(0) > maxPaths || found.wide: // they are validated against a meta-schema
		t.bad = toolsTooLarge
	case raw[0] == '[':
		t.bad = cmp.Or(t.addList(raw), t.bad)
	case raw[0] == '{':
		t.bad = cmp.Or(t.addObject(raw), t.bad)
	default:
		t.bad = toolsUnreadable
	}
	return t
}

// addObject adds the tools of an object, or returns why it cannot. A schema is an
// object or a boolean; an object with any other member does not map names to schemas.
func (t *toolset) addObject(raw json.RawMessage) (bad string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return toolsUnreadable
	}
	if list := members["tools"]; len(list) > 0 && list[0] == '[' {
		return t.addList(list)
	}
	for _, member := range members {
		if !strings.ContainsRune("{tfn", rune(member[0])) { // null admits any arguments
			return t.addList(slices.Concat(json.RawMessage("["), raw, json.RawMessage("]")))
		}
	}
	if len(members) > maxTools {
		return toolsTooLarge
	}
	for name, document := range members {
		// A value may also be a tool as in a list, without its name.
		var o toolOffer
		if json.Unmarshal(document, &o) == nil && o.schema() != nil && o.Type != "object" {
			document = o.schema()
		}
		t.tools[name] = newTool(document, false)
	}
	return ""
}

func (t *toolset) addList(raw json.RawMessage) (bad string) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return toolsUnreadable
	}
	if len(items) > maxTools {
		return toolsTooLarge
	}
	for _, item := range items {
		var o toolOffer
		into := any(&o)
		if item[0] == '"' {
			into = &o.Name
		}
		if json.Unmarshal(item, into) != nil || !t.add(o) {
			return toolsUnreadable
		}
	}
	return ""
}

// add adds one tool; of several with one name the first counts. It reports whether
// the offer could be read.
func (t *toolset) add(o toolOffer) bool {
	switch {
	case o.Function != nil:
		return t.add(*o.Function)
	case o.Custom != nil:
		o.Custom.Type = "custom"
		return t.add(*o.Custom)
	case o.Spec != nil:
		// A toolSpec holds its schema as {json: schema}.
		var spec struct {
			JSON json.RawMessage `json:"json"`
		}
		if json.Unmarshal(o.Spec.InputCamel, &spec) == nil && spec.JSON != nil {
			o.Spec.InputCamel = spec.JSON
		}
		return t.add(*o.Spec)
	case len(o.Declared) > 0:
		return !slices.ContainsFunc(o.Declared, func(d toolOffer) bool { return !t.add(d) })
	case o.Name == "" && o.Type != "" && o.Type != "function" && o.Type != "object":
		o.Name = o.Type // a tool of the provider's own
	}
	if o.Name == "" {
		return false
	}
	if _, twice := t.tools[o.Name]; twice {
		return true
	}
	if len(t.tools) == maxTools {
		t.bad = toolsTooLarge
		return true
	}
	t.tools[o.Name] = newTool(o.schema(), o.Type == "custom")
	return true
}

func (o toolOffer) schema() json.RawMessage {
	for _, s := range []json.RawMessage{o.Parameters, o.InputSchema, o.InputCamel, o.Schema} {
		if len(s) > 0 && string(s) != "null" {
			return s
		}
	}
	return nil
}

func newTool(document json.RawMessage, freeText bool) tool {
	if freeText || len(document) == 0 || string(document) == "null" {
		return tool{freeText: freeText}
	}
	size := patternSize(decode(string(document)))
	if size > maxToolInstructions {
		return tool{bad: true}
	}
	s, err := compileDocument(document)
	return tool{schema: s, bad: err != nil, patterned: size > 0}
}

// patternSize returns the instructions of all patterns of a schema document; more
// than maxToolInstructions when they are too many. It also counts values that are
// data, which errs on the safe side. The compiler reports patterns that do not
// compile.
func patternSize(doc any) int {
	size := 0
	add := func(pattern string) {
		if size > maxToolInstructions {
			return
		}
		if len(pattern) > maxToolPattern {
			size = maxToolInstructions + 1
			return
		}
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return
		}
		if prog, err := syntax.Compile(re.Simplify()); err == nil {
			size += len(prog.Inst)
		}
	}
	walk(doc, func(v any) {
		object, _ := v.(map[string]any)
		if p, ok := object["pattern"].(string); ok {
			add(p)
		}
		patterns, _ := object["patternProperties"].(map[string]any)
		for p := range patterns {
			add(p)
		}
		if object["format"] == "regex" { // compiles whatever the arguments hold
			size = maxToolInstructions + 1
		}
	})
	return size
}

// lru caches the most recently used values. When it is full, the least recently
// used one is dropped. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	size int // small: all are looked at to find the oldest

	mu      sync.Mutex
	uses    int             // guarded by mu
	entries map[K]*entry[V] // guarded by mu
}

type entry[V any] struct {
	value V   // never changes
	used  int // what uses was when the entry was last used
}

func newLRU[K comparable, V any](size int) *lru[K, V] {
	return &lru[K, V]{size: size, entries: make(map[K]*entry[V], size)}
}

// get returns the cached value of a key, or builds it. Concurrent callers for the
// same missing key all build it; one value is kept.
func (l *lru[K, V]) get(key K, build func() V) V {
	l.mu.Lock()
	l.uses++
	e, ok := l.entries[key]
	if ok {
		e.used = l.uses
	}
	l.mu.Unlock()
	if ok {
		return e.value
	}

	value := build()

	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[key]; ok {
		return e.value
	}
	if len(l.entries) == l.size {
		var oldest K
		least := l.uses + 1
		for k, e := range l.entries {
			if e.used < least {
				oldest, least = k, e.used
			}
		}
		delete(l.entries, oldest)
	}
	l.entries[key] = &entry[V]{value, l.uses}
	return value
}
