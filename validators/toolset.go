package validators

import (
	"bytes"
	"encoding/json"
	"regexp/syntax"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
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
	tools  map[string]tool
	open   bool   // there were more tools, such as those of an MCP server
	unread bool   // there were more, in no form that is known
	bad    string // why the tools cannot be used; empty: they can
}

type tool struct {
	schema    *schema // nil: any arguments
	freeText  bool    // the arguments are free text and not JSON
	bad       bool    // there is a schema and it does not compile
	unknown   bool    // there is a schema, and nothing of it is in a known form
	patterned bool    // the schema has patterns, so it validates shorter texts only
	leftOut   string  // the keywords of the schema that are not checked
}

// newToolset compiles the tools of an event.
func newToolset(tools event.Content) *toolset {
	t := &toolset{tools: map[string]tool{}}
	raw := tools.Raw()
	if raw[0] == '"' { // the bounds are about what it holds
		text, _ := jsonscan.Unquote([]byte(raw))
		raw = json.RawMessage(text)
	}
	found := scanValue(string(raw), 0)
	if tooManyTools(raw, found) {
		t.bad = toolsTooLarge
		return t
	}
	offers := (&event.Event{Tools: tools}).Offers()
	t.open, t.unread = offers.Open, offers.Unread
	if len(offers.List) == 0 && t.unread && !t.open {
		t.bad = toolsUnreadable
		return t
	}
	if len(offers.List) > maxTools {
		t.bad = toolsTooLarge
		return t
	}
	members := 0
	for _, o := range offers.List {
		if _, twice := t.tools[o.Name]; twice {
			continue
		}
		found := scanValue(string(o.Schema), 0) // it may have stood in a string
		members += found.members
		if members > maxToolMembers || tooManyTools(o.Schema, found) {
			t.bad = toolsTooLarge
			return t
		}
		t.tools[o.Name] = newTool(o)
	}
	return t
}

// tooManyTools reports whether tools or one schema exceed a bound. A schema is
// validated against a meta-schema, as a document is against a schema.
func tooManyTools(raw json.RawMessage, found span) bool {
	return len(raw) > maxToolsBytes || found.members > maxToolMembers || found.depth > maxToolDepth ||
		found.values > maxValues || found.allPaths(0) > maxPaths || found.wide
}

func newTool(o event.ToolOffer) tool {
	if o.FreeText || len(o.Schema) == 0 {
		return tool{freeText: o.FreeText}
	}
	doc := decode(string(o.Schema))
	if object, ok := doc.(map[string]any); !isSchema(doc) || ok && len(object) > 0 && !hasKeyword(object) {
		return tool{unknown: true}
	}
	size := patternSize(doc)
	if size <= maxToolInstructions && !bytes.Contains(o.Schema, []byte(`"nullable"`)) {
		if s, err := compileDocument(o.Schema); err == nil {
			return tool{schema: s, patterned: size > 0}
		}
	}
	for _, alone := range []bool{false, true} {
		m := mender{root: decode(string(o.Schema)), alone: alone}
		if s, err := compileDocument(m.mend()); err == nil {
			return tool{schema: s, patterned: m.patterns > 0, leftOut: m.summary(), unknown: len(m.leftOut) > 0 && m.checksNothing()}
		}
	}
	return tool{bad: true}
}

// patternSize returns the instructions of all patterns of a schema document; more
// than maxToolInstructions when they are too many. It also counts values that are
// data, which errs on the safe side. The compiler reports patterns that do not
// compile.
func patternSize(doc any) int {
	size := 0
	add := func(pattern string) {
		if size <= maxToolInstructions {
			n, _ := instructionsOf(pattern)
			size += n
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

// instructionsOf returns the instructions of a pattern, compiled; more than
// maxToolInstructions when it is too long to compile. It reports false for one that
// is not RE2.
func instructionsOf(pattern string) (int, bool) {
	if len(pattern) > maxToolPattern {
		return maxToolInstructions + 1, true
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, false
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0, false
	}
	return len(prog.Inst), true
}
