package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// ToolOffer is one tool that the model was offered.
type ToolOffer struct {
	Name     string
	Schema   json.RawMessage // JSON Schema of the arguments, as it was published; nil: any arguments
	FreeText bool            // the arguments are free text and not JSON
}

// ToolOffers are the tools that the model was offered.
type ToolOffers struct {
	List []ToolOffer // names may repeat; the first counts
	// Open says that there were more tools than the list holds, such as those of an
	// MCP server.
	Open bool
	// Unread says that the tools, or one of them, are in no form that is known here.
	Unread bool
}

// OfferedTools returns the tools that the model was offered, as they were published:
// those of the event, or else those that a whole response in its output repeats.
func (e *Event) OfferedTools() Content {
	if !e.Tools.IsZero() {
		return e.Tools
	}
	return e.Answer().Tools
}

// Offers reads the tools of the event in the forms of providers and frameworks: lists
// of definitions or of names, one definition, and objects of definitions or schemas
// by name; also as a string that holds such JSON.
func (e *Event) Offers() ToolOffers {
	var r offerReader
	raw := bytes.TrimSpace(e.Tools.Raw())
	if text := bytes.TrimSpace([]byte(stringOf(raw))); len(text) > 0 && json.Valid(text) {
		raw = text
	}
	switch jsonKind(raw) {
	case "nothing":
	case "array":
		r.list(raw, maxToolLists)
	case "object":
		r.object(raw, maxToolLists)
	default:
		r.Unread = true
	}
	return r.ToolOffers
}

// BareToolName returns a tool's name without what frameworks and chat templates put
// around it, as in functions.lookup, mcp__shop__lookup, lookup:0 and
// lookup<|channel|>commentary. A tool may have been offered under such a name, so the
// name as it stands comes first.
func BareToolName(name string) string {
	name, _, _ = strings.Cut(name, "<|")
	name = strings.TrimSpace(name)
	if bare, index, ok := strings.Cut(name, ":"); ok && index != "" && strings.Trim(index, "0123456789") == "" {
		name = bare
	}
	for _, prefix := range []string{"functions.", "function.", "tools.", "tool.", "default_api."} {
		if bare, ok := strings.CutPrefix(name, prefix); ok {
			return bare
		}
	}
	if rest, ok := strings.CutPrefix(name, "mcp__"); ok {
		if _, bare, ok := strings.Cut(rest, "__"); ok {
			return bare
		}
	}
	return name
}

// maxToolLists bounds how many lists and wrappers may stand around a definition.
const maxToolLists = 4

// offerReader collects offers.
type offerReader struct{ ToolOffers }

func (r *offerReader) list(raw []byte, nested int) {
	items, ok := listOf(raw)
	if nested <= 0 || !ok {
		r.Unread = true
		return
	}
	for item, ok := items.next(); ok; item, ok = items.next() {
		switch {
		case jsonKind(item) == "string" && stringOf(item) != "":
			r.add(ToolOffer{Name: stringOf(item)})
		case jsonKind(item) == "array":
			r.list(item, nested-1)
		default:
			r.item(item, nested)
		}
	}
}

func (r *offerReader) add(o ToolOffer) { r.List = append(r.List, o) }

// object reads the tools of an object: a list with something around it, one
// definition, or definitions or schemas by name. A schema is an object or a boolean;
// an object with any other member does not map names to schemas.
func (r *offerReader) object(raw []byte, nested int) {
	one := false
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			break
		}
		kind := jsonKind(value)
		one = one || kind == "string" || kind == "number" || kind == "array" ||
			kind == "object" && (isToolWrapper(string(name)) && readDefinition(value).name != "" || string(name) == "toolconfig" && bytes.Contains(value, []byte(`"tools"`)))
	}
	if one {
		r.item(raw, nested)
		return
	}
	s := membersOf(raw)
	for {
		key, value, ok := s.nextKey()
		if !ok {
			return
		}
		o := ToolOffer{Name: key, Schema: schemaDocument(value)}
		// A value may also be a definition as in a list, without its name.
		if d := readDefinition(value); d.schema != nil && d.typ != "object" {
			o.Schema = d.schema
		} else if d.typ == "custom" {
			o.Schema, o.FreeText = nil, true
		}
		r.add(o)
	}
}

// item reads one item of a list of tools.
func (r *offerReader) item(raw []byte, nested int) {
	if nested <= 0 {
		r.Unread = true
		return
	}
	before, known := len(r.List), false
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			break
		}
		switch kind, name := jsonKind(value), string(name); {
		case kind == "array" && (name == "functiondeclarations" || name == "tools" || name == "functions"):
			known = true
			r.list(value, nested-1)
		case kind == "object" && name == "toolconfig":
			known = true
			r.item(value, nested-1)
		case name == "cachepoint":
			known = true
		case name == "mcpservers":
			known, r.Open = true, true
		case kind == "object" && hostedOffer(name) != "":
			known = true
			r.add(ToolOffer{Name: hostedOffer(name)})
		}
	}
	d := readDefinition(raw)
	switch typ := foldName(d.typ); {
	case known && (d.name == "" || len(r.List) > before):
	case typ == "mcp" || typ == "mcptoolset":
		r.Open = r.Open || len(d.allowed) == 0
		for _, name := range d.allowed {
			r.add(ToolOffer{Name: name})
		}
	case d.name != "":
		r.add(ToolOffer{Name: d.name, Schema: d.schema, FreeText: typ == "custom"})
	case typ != "" && typ != "function" && typ != "object" && !d.dumped:
		r.add(ToolOffer{Name: d.typ}) // a tool of the provider's own
	default:
		r.Unread = true
	}
}

// definition is what the members of a tool's definition say.
type definition struct {
	name, typ string
	schema    json.RawMessage
	rank      int // of the member that holds the schema
	allowed   []string
	dumped    bool // LangChain wrote its own object: the type is not the tool's
}

// readDefinition reads a definition and the object that may stand around it, such as
// OpenAI's function.
func readDefinition(raw []byte) (d definition) {
	return readWrapped(raw, maxToolLists)
}

func readWrapped(raw []byte, wrappers int) (d definition) {
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			return d
		}
		kind := jsonKind(value)
		switch name := string(name); {
		case name == "name" || name == "toolname":
			d.name = cmp.Or(d.name, stringOf(value))
		case name == "type" && d.typ == "":
			d.typ = stringOf(value)
		case name == "lc":
			d.dumped = true
		case name == "allowedtools":
			d.allowed = toolNames(value)
		case isToolWrapper(name) && kind == "object" && wrappers > 0:
			in := readWrapped(value, wrappers-1)
			d.name = cmp.Or(in.name, d.name)
			if name == "custom" {
				d.typ = name
			}
			d.setSchema(in.rank, in.schema)
		case name == "args" && kind == "object" && mapsSchemas(value), name == "parameterdefinitions" && kind == "object":
			d.setSchema(1, slices.Concat([]byte(`{"type":"object","properties":`), value, []byte(`}`)))
		default:
			if rank := schemaRank(name); rank > 0 {
				d.setSchema(rank, schemaDocument(value))
			}
		}
	}
}

// isToolWrapper reports whether a member holds a definition.
func isToolWrapper(name string) bool {
	switch name {
	case "function", "custom", "toolspec", "systemtool", "kwargs":
		return true
	}
	return false
}

// schemaRank returns the preference for a member as the schema of the arguments; 0
// for a member that holds none.
func schemaRank(name string) int {
	return 1 + slices.Index([]string{"schema", "argsschema", "inputschema", "parametersjsonschema", "parameters"}, name)
}

func (d *definition) setSchema(rank int, schema json.RawMessage) {
	if schema != nil && rank > d.rank {
		d.schema, d.rank = schema, rank
	}
}

// schemaDocument returns a schema without what stands around it: Bedrock and Vercel
// write {json: schema} and {jsonSchema: schema}, and some logs hold the schema as a
// string. It is nil for null.
func schemaDocument(raw []byte) json.RawMessage {
	if text := bytes.TrimSpace([]byte(stringOf(raw))); jsonKind(text) == "object" && json.Valid(text) {
		raw = text
	}
	if jsonKind(raw) == "null" {
		return nil
	}
	var inner []byte
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		switch {
		case !ok && inner != nil:
			return inner
		case !ok:
			return raw
		}
		switch string(name) {
		case "json", "jsonschema":
			if jsonKind(value) == "object" {
				inner = value
			}
		case "type", "properties", "$ref":
			return raw
		}
	}
}

// mapsSchemas reports whether every member of an object is an object, as those of a
// map of properties are.
func mapsSchemas(object []byte) bool {
	n := 0
	for m := membersOf(object); ; n++ {
		_, value, ok := m.next()
		if !ok {
			return n > 0
		}
		if jsonKind(value) != "object" {
			return false
		}
	}
}

// toolNames returns a list of names, which may stand in an object {tool_names: [...]}.
func toolNames(raw []byte) (names []string) {
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			break
		}
		if string(name) == "toolnames" {
			raw = value
		}
	}
	items, _ := listOf(raw)
	for item, ok := items.next(); ok; item, ok = items.next() {
		if name := stringOf(item); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// hostedOffer returns the name of a tool that Gemini offers by a member of its own;
// empty for another member.
func hostedOffer(member string) string {
	switch member {
	case "googlesearch":
		return "google_search"
	case "googlesearchretrieval":
		return "google_search_retrieval"
	case "codeexecution":
		return "code_execution"
	case "urlcontext":
		return "url_context"
	case "computeruse":
		return "computer_use"
	case "filesearch":
		return "file_search"
	case "googlemaps":
		return "google_maps"
	case "enterprisewebsearch":
		return "enterprise_web_search"
	case "retrieval":
		return "retrieval"
	}
	return ""
}
