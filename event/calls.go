package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ToolCall is one call of a tool by the model. A call without a name is one in no
// form that is known here: its arguments are then the whole call as it was
// published, and nothing can be said about it.
//
// Calls are read in the forms of many providers and written in one, in which they
// are read again as the same call.
type ToolCall struct {
	Name       string   `json:"name,omitempty" doc:"tool's name"`
	Type       CallType `json:"type,omitempty" doc:"custom for a tool that takes free text, server for one that the provider or an MCP server runs"`
	Arguments  Content  `json:"arguments,omitzero" doc:"arguments: a JSON object, or a string that holds one"`
	Status     string   `json:"status,omitempty" doc:"success or error, or a provider's words for them"`
	LatencyMS  *float64 `json:"latency_ms,omitempty" doc:"time of the call, milliseconds"`
	RetryCount *int64   `json:"retry_count,omitempty" doc:"attempts after the first"`
	Result     Content  `json:"result,omitzero" doc:"what the tool returned"`
}

// CallType says who runs a tool and what it takes.
type CallType string

// The types of calls.
const (
	CallFunction CallType = ""       // the application runs it, with a JSON object
	CallCustom   CallType = "custom" // the application runs it, with free text
	CallServer   CallType = "server" // the provider or an MCP server runs it
)

// Calls returns the calls of tools that the model made: the event's list, or else
// those in its output. A call in no known form has no name.
func (e *Event) Calls() []ToolCall {
	if len(e.ToolCalls) > 0 {
		return e.ToolCalls
	}
	a := e.Answer()
	if a.UnreadCalls == 0 {
		return a.Calls
	}
	return append(slices.Clip(a.Calls), make([]ToolCall, a.UnreadCalls)...)
}

// readCall reads one call of a tool in any form in which providers write it. It
// reports false for a value that is not a call in a known form.
func readCall(raw json.RawMessage) (ToolCall, bool) {
	raw = bytes.TrimSpace(raw)
	if text := bytes.TrimSpace([]byte(stringOf(raw))); jsonKind(text) == "object" && json.Valid(text) {
		raw = text // a call that was encoded twice
	}
	f := readCallFacts(raw, maxCallWrappers)
	kind := foldName(f.typ)
	c := ToolCall{Name: f.callName(kind), Type: f.callType(kind), Status: f.status, LatencyMS: f.latency, RetryCount: f.retries}
	if c.Name == "" {
		if f.foreign || f.name != "" || f.typ != "" || jsonKind(raw) != "object" {
			return ToolCall{Arguments: copyContent(raw)}, false
		}
		c.Type = CallFunction
	}
	if f.failed && !c.Failed() {
		c.Status = callError
	}
	c.Arguments, c.Result = copyContent(f.arguments), copyContent(f.result)
	return c, c.Name != ""
}

// copyContent returns a part of a valid document as content of its own.
func copyContent(part []byte) (c Content) {
	if part != nil {
		_ = c.UnmarshalJSON(part) // never fails
	}
	return c
}

// UnmarshalJSON reads a call in any form in which providers write it. It accepts
// every JSON value: a call in no known form has no name.
func (c *ToolCall) UnmarshalJSON(b []byte) error {
	*c, _ = readCall(b)
	return nil
}

// IsPiece reports whether the call is a later piece of one that a stream sent: it has
// more of the arguments, and the name stands in an earlier piece.
func (c *ToolCall) IsPiece() bool {
	if c.Name != "" || jsonKind(c.Arguments.raw) != "object" {
		return false
	}
	f := readCallFacts(c.Arguments.raw, maxCallWrappers)
	return f.name == "" && f.indexed && jsonKind(f.arguments) == "string"
}

// maxCallWrappers bounds how many objects may stand around the name of a call.
const maxCallWrappers = 3

// callFacts is what the members of a call say.
type callFacts struct {
	name      string
	typ       string // as it is written
	arguments []byte // nil: absent or null
	rank      int    // of the member that holds the arguments
	input     bool   // there is a member for arguments, even an empty one
	result    []byte
	status    string
	failed    bool // something besides the status says that the call failed
	server    bool
	indexed   bool // it has a place in a list
	piece     bool // it has not all of the arguments
	part      bool // it has members that only the parts of a chat's display have
	message   bool // it has a role, so it is a message about a call
	foreign   bool // it has members that our own form does not have
	latency   *float64
	retries   *int64
}

// readCallFacts reads the members of a call and of the objects that stand around its
// name, such as OpenAI's function.
func readCallFacts(raw []byte, wrappers int) (f callFacts) {
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			return f
		}
		if kind := jsonKind(value); kind == "null" {
			f.input = f.input || argumentsRank(string(name)) > 0
			continue
		}
		if !f.readOwn(string(name), value) {
			f.foreign = true
			f.readForeign(string(name), value, wrappers)
		}
	}
}

// readOwn reads a member that our own form has.
func (f *callFacts) readOwn(name string, value []byte) bool {
	switch name {
	case "name":
		f.name = cmp.Or(stringOf(value), f.name)
	case "type":
		f.typ = stringOf(value)
	case "arguments":
		f.setArguments(argumentsRank(name), value)
	case "status":
		if jsonKind(value) == "number" {
			f.status = string(value)
			break
		}
		f.status = cmp.Or(stringOf(value), f.status)
	case "latencyms":
		f.latency = readNumber(value)
	case "retrycount":
		if n := readNumber(value); n != nil && *n == math.Trunc(*n) && math.Abs(*n) < 1<<53 {
			retries := int64(*n)
			f.retries = &retries
		}
	case "result":
		f.setResult(value)
	default:
		return false
	}
	return true
}

// readForeign reads a member that only other forms have.
func (f *callFacts) readForeign(name string, value []byte, wrappers int) {
	switch name {
	case "toolname", "tool":
		f.name = cmp.Or(f.name, stringOf(value))
	case "args", "input", "parameters", "toolinput", "toolargs", "toolkwargs", "rawinput", "action", "code", "queries", "operation":
		f.setArguments(argumentsRank(name), value)
	case "output", "outputs", "results":
		f.setResult(value)
	case "state":
		f.status, f.part = cmp.Or(f.status, stringOf(value)), true
	case "toolcallid":
		f.part = true
	case "index":
		f.indexed = true
	case "willcontinue", "partialargs": // Gemini's calls in pieces
		f.piece = f.piece || !isFalse(value)
	case "role":
		f.message = true
	case "durationms", "executiontimems":
		if f.latency == nil {
			f.latency = readNumber(value)
		}
	case "error", "errortext", "errormessage":
		f.failed = f.failed || saysSomething(value)
	case "iserror", "invalid":
		f.failed = f.failed || isTrue(value)
	case "success", "ok":
		f.failed = f.failed || isFalse(value)
		if isTrue(value) {
			f.status = cmp.Or(f.status, callSuccess)
		}
	case "providerexecuted":
		f.server = f.server || string(value) == "true"
	case "serverlabel", "servername":
		f.server = f.server || stringOf(value) != ""
	case "tooltype":
		f.name, f.server = cmp.Or(f.name, strings.ToLower(stringOf(value))), true
	case "executablecode":
		f.name, f.server, f.input = "code_execution", true, true
		f.setArguments(argumentsRank("arguments"), value)
	case "function", "custom", "functioncall", "tooluse", "toolcall", "toolinvocation", "rawitem", "params":
		switch {
		case jsonKind(value) == "string" && name == "function":
			f.name = cmp.Or(f.name, stringOf(value))
		case jsonKind(value) == "object" && wrappers > 0:
			f.merge(readCallFacts(value, wrappers-1), name)
		}
	}
}

// merge takes over what an object inside a call says.
func (f *callFacts) merge(in callFacts, name string) {
	f.name = cmp.Or(in.name, f.name)
	if in.typ != "" {
		f.typ = in.typ
	} else if f.typ == "" || name == "custom" {
		f.typ = name
	}
	if in.arguments != nil {
		f.setArguments(in.rank, in.arguments)
	}
	f.input = f.input || in.input || in.name != ""
	f.status = cmp.Or(f.status, in.status)
	f.failed, f.server, f.part, f.message = f.failed || in.failed, f.server || in.server, f.part || in.part, f.message || in.message
	f.piece = f.piece || in.piece
	if f.result == nil {
		f.result = in.result
	}
	f.latency, f.retries = cmp.Or(f.latency, in.latency), cmp.Or(f.retries, in.retries)
}

// argumentsRank returns the preference for a member as the arguments of a call; 0 for
// a member that holds none.
func argumentsRank(name string) int {
	switch name {
	case "arguments":
		return 5
	case "args":
		return 4
	case "input", "toolinput", "toolargs", "toolkwargs":
		return 3
	case "parameters":
		return 2
	case "rawinput", "action", "code", "queries", "operation":
		return 1
	}
	return 0
}

func (f *callFacts) setArguments(rank int, value []byte) {
	f.input = f.input || rank > 1
	if rank > f.rank {
		f.arguments, f.rank = value, rank
	}
}

// setResult keeps a result. A result may itself say that it is an error.
func (f *callFacts) setResult(value []byte) {
	if f.result == nil {
		f.result = value
	}
	if jsonKind(value) != "object" || !bytes.Contains(value, []byte("rror")) && !bytes.Contains(value, []byte("denied")) {
		return
	}
	for m := membersOf(value); ; {
		name, v, ok := m.next()
		switch {
		case !ok:
			return
		case string(name) == "iserror":
			f.failed = f.failed || string(v) == "true"
		case string(name) == "type": // of Vercel's results
			switch stringOf(v) {
			case "error-text", "error-json", "execution-denied":
				f.failed = true
			}
		}
	}
}

// callName returns the name of the called tool; empty when the facts are not those of
// a call in a known form. The kind is the type without regard to case, _ and -.
func (f *callFacts) callName(kind string) string {
	blank := strings.TrimSpace(f.name) == "" // a name of white space is none
	if f.message || f.piece || blank && kind == "" {
		return ""
	}
	if blank {
		f.name = ""
	}
	switch kind {
	case "", "function", "custom", "server", "functioncall", "toolcall", "tooluse", "customtoolcall", "servertooluse", "mcptooluse", "mcpcall",
		"mcptoolcall", "mcpservertoolcall", "mcpapprovalrequest", "dynamictool", "servertoolcall", "tool.execution", "function.call", "invalidtoolcall", "toolinvocation", "toolcallitem", "rawitem":
		return f.name
	case "toolresult", "toolerror", "tool", "tooloutput", "functionresponse", "functioncalloutput", "toolapprovalresponse", "tooloutputdenied":
		return "" // about a call, and none itself
	}
	if hosted := hostedTool(kind); hosted != "" {
		return hosted
	}
	if name, ok := strings.CutPrefix(f.typ, "tool-"); ok && f.part && blank && strings.TrimSpace(name) != "" {
		return name
	}
	if strings.HasSuffix(kind, "result") || strings.HasSuffix(kind, "output") || !f.input {
		return ""
	}
	return f.name
}

// callType returns the type of the call.
func (f *callFacts) callType(kind string) CallType {
	switch {
	case kind == "custom" || kind == "customtoolcall":
		return CallCustom
	case f.server || kind == "server" || kind == "servertooluse" || kind == "servertoolcall" || kind == "tool.execution" ||
		strings.HasPrefix(kind, "mcp") || hostedTool(kind) != "":
		return CallServer
	}
	return CallFunction
}

// hostedTool returns the name of the tool that an item of a response calls by its type
// alone, as OpenAI and Gemini write them; empty for another type.
func hostedTool(typ string) string {
	switch typ {
	case "websearchcall":
		return "web_search"
	case "filesearchcall", "filesearch":
		return "file_search"
	case "codeinterpretercall", "codeinterpreter":
		return "code_interpreter"
	case "computercall":
		return "computer"
	case "imagegenerationcall":
		return "image_generation"
	case "localshellcall":
		return "local_shell"
	case "shellcall":
		return "shell"
	case "applypatchcall":
		return "apply_patch"
	case "toolsearchcall":
		return "tool_search"
	case "xsearchcall":
		return "x_search"
	case "googlesearchcall":
		return "google_search"
	case "codeexecutioncall":
		return "code_execution"
	case "urlcontextcall":
		return "url_context"
	}
	return ""
}

// saysSomething reports whether the value of an error is one.
func saysSomething(value []byte) bool {
	switch jsonKind(value) {
	case "string":
		switch strings.ToLower(strings.TrimSpace(stringOf(value))) {
		case "", "none", "null", "nil", "nan", "na", "n/a", "<na>", "undefined", "false", "0", "no error", "{}", "[]": // no error, as languages print it
			return false
		}
		return true
	case "object", "array":
		return len(bytes.TrimSpace(value[1:len(value)-1])) > 0
	}
	return string(value) == "true"
}

// isTrue and isFalse report whether a value is a boolean, or as tables write one.
func isTrue(value []byte) bool {
	return string(value) == "true" || strings.EqualFold(stringOf(value), "true") || isNumber(value, 1)
}

func isFalse(value []byte) bool {
	return string(value) == "false" || strings.EqualFold(stringOf(value), "false") || isNumber(value, 0)
}

func isNumber(value []byte, want float64) bool {
	n := readNumber(value)
	return jsonKind(value) == "number" && n != nil && *n == want
}

// readNumber returns a number, or a string that holds one; nil for anything else.
func readNumber(value []byte) *float64 {
	text := string(value)
	if jsonKind(value) == "string" {
		text = strings.TrimSpace(stringOf(value))
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	return &n
}
