package validators

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Bounds of the tools that one event may offer. They keep an event from buying
// much work: compiling a schema takes time by the square of its subschemas. What
// is beyond them cannot be judged.
const (
	maxToolsBytes  = 256 << 10
	maxTools       = 256
	maxToolMembers = 2000 // members of all schemas together
	maxToolDepth   = 48
	maxToolName    = 64
)

// toolset is what an event offered, ready to check calls. It is immutable.
type toolset struct {
	tools map[string]tool
	bad   string // why the tools cannot be used; empty: they can
}

type tool struct {
	schema *schema // nil: any arguments
	free   bool    // the arguments are free text and no JSON
	bad    bool    // there is a schema and it does not compile
	dear   bool    // the schema has patterns: it is held against shorter texts only
}

// offered is one tool in any of the forms in which applications log them.
type offered struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Parameters  json.RawMessage `json:"parameters"`
	InputSchema json.RawMessage `json:"input_schema"`
	InputCamel  json.RawMessage `json:"inputSchema"`
	Schema      json.RawMessage `json:"schema"`
	Function    *offered        `json:"function"`
	Custom      *offered        `json:"custom"`
	Spec        *offered        `json:"toolSpec"`             // Bedrock
	Declared    []offered       `json:"functionDeclarations"` // Gemini
}

// newToolset reads the tools of an event: a list of {name, parameters}, where
// parameters may also be called input_schema, inputSchema or schema, a list of
// {type: "function", function: {...}}, {toolSpec: {...}} or {functionDeclarations:
// [...]}, a list of names, {tools: [...]} around such a list, one tool without a
// list, or an object of schemas by name.
func newToolset(raw json.RawMessage) *toolset {
	found := scanValue(string(raw), 0)
	switch {
	case len(raw) > maxToolsBytes || found.members > maxToolMembers || found.depth > maxToolDepth,
		found.values > maxValues || found.paths(0) > maxPaths || found.wide: // they are held against a meta-schema
		return &toolset{bad: "tools too large"}
	case raw[0] == '[':
		return listedTools(raw)
	case raw[0] == '{':
		return toolsIn(raw)
	}
	return &toolset{bad: "tools unreadable"}
}

// toolsIn reads an object. A schema is an object or a boolean: with a member that
// is neither, it is not one of schemas by name.
func toolsIn(raw json.RawMessage) *toolset {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return &toolset{bad: "tools unreadable"}
	}
	if list := members["tools"]; len(list) > 0 && list[0] == '[' {
		return listedTools(list)
	}
	for _, member := range members {
		if !strings.ContainsRune("{tfn", rune(member[0])) { // of null, any arguments
			return listedTools(slices.Concat(json.RawMessage("["), raw, json.RawMessage("]")))
		}
	}
	return namedTools(members)
}

func listedTools(raw json.RawMessage) *toolset {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return &toolset{bad: "tools unreadable"}
	}
	if len(items) > maxTools {
		return &toolset{bad: "tools too large"}
	}
	t := &toolset{tools: make(map[string]tool, len(items))}
	for _, item := range items {
		var o offered
		if item[0] == '"' {
			if json.Unmarshal(item, &o.Name) != nil {
				return &toolset{bad: "tools unreadable"}
			}
		} else if json.Unmarshal(item, &o) != nil {
			return &toolset{bad: "tools unreadable"}
		}
		if !t.add(o) {
			return &toolset{bad: "tools unreadable"}
		}
	}
	return t
}

// add takes one offered tool in; the first of a name counts.
func (t *toolset) add(o offered) bool {
	switch {
	case o.Function != nil:
		return t.add(*o.Function)
	case o.Custom != nil:
		o.Custom.Type = "custom"
		return t.add(*o.Custom)
	case o.Spec != nil:
		o.Spec.InputCamel = unwrapped(o.Spec.InputCamel)
		return t.add(*o.Spec)
	case len(o.Declared) > 0:
		return !slices.ContainsFunc(o.Declared, func(d offered) bool { return !t.add(d) })
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
		t.bad = "tools too large"
		return true
	}
	t.tools[o.Name] = newTool(o.schema(), o.Type == "custom")
	return true
}

func (o offered) schema() json.RawMessage {
	for _, s := range []json.RawMessage{o.Parameters, o.InputSchema, o.InputCamel, o.Schema} {
		if len(s) > 0 && string(s) != "null" {
			return s
		}
	}
	return nil
}

// unwrapped gives the schema of {json: schema}, as a toolSpec holds it.
func unwrapped(schema json.RawMessage) json.RawMessage {
	var in struct {
		JSON json.RawMessage `json:"json"`
	}
	if json.Unmarshal(schema, &in) != nil || in.JSON == nil {
		return schema
	}
	return in.JSON
}

// namedTools reads schemas by name. A value may also be a tool as in a list,
// without its name.
func namedTools(byName map[string]json.RawMessage) *toolset {
	if len(byName) > maxTools {
		return &toolset{bad: "tools too large"}
	}
	t := &toolset{tools: make(map[string]tool, len(byName))}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		document := byName[name]
		var o offered
		if json.Unmarshal(document, &o) == nil && o.schema() != nil && o.Type != "object" {
			document = o.schema()
		}
		t.tools[name] = newTool(document, false)
	}
	return t
}

func newTool(document json.RawMessage, free bool) tool {
	if free || len(document) == 0 || string(document) == "null" {
		return tool{free: free}
	}
	size := patternSize(decode(string(document)))
	if size > maxToolInstructions {
		return tool{bad: true}
	}
	s, err := compileDocument(document)
	return tool{schema: s, bad: err != nil, dear: size > 0}
}

// shownTool gives a tool's name as a reason may show it. Only an offered name is
// shown: any other is the model's own words.
func (t *toolset) shownTool(name string) string {
	if t != nil {
		if _, ok := t.tools[name]; ok && isPlain(name, maxToolName) {
			return "tool " + name
		}
	}
	return "tool *"
}
