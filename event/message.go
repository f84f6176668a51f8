package event

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Answer is what the model said in the output of an event.
type Answer struct {
	// Text is the published string; or the text of an assistant message, of its
	// parts, of the first choice of a response or of the last of several messages;
	// or else the JSON value as it was published, with \u00e9 written as é.
	Text string
	// JSON says that Text is a JSON value that was not published as a string.
	JSON bool
	// Refusal says that the provider marked Text as a refusal.
	Refusal bool
	// CallsTools says that the model called tools, according to the message or the
	// event's list of calls.
	CallsTools bool
	// Calls are the calls of tools that the message holds.
	Calls []ToolCall
}

// OnlyCallsTools reports whether the model called tools and has said nothing yet: a
// step on the way to an answer, not an empty answer.
func (s Answer) OnlyCallsTools() bool { return s.CallsTools && isBlank(s.Text) }

// Answer reads the output as the model's turn. A JSON object is an assistant
// message if its role says so, and else a plain value.
func (e *Event) Answer() Answer {
	s := e.Output.answer()
	s.CallsTools = s.CallsTools || len(e.ToolCalls) > 0
	return s
}

func (c Content) answer() Answer {
	switch jsonKind(c.raw) {
	case "nothing":
		return Answer{}
	case "string":
		return Answer{Text: stringText(c.raw)}
	}
	ms, chat := c.messages()
	if n := len(ms); n > 0 && (chat || strings.EqualFold(ms[0].role, roleAssistant)) {
		return ms[n-1].Answer
	}
	return Answer{Text: string(expandEscapes(c.raw)), JSON: true}
}

// message is one chat message, in the forms that providers write.
type message struct {
	Role         string          `json:"role"`
	Content      json.RawMessage `json:"content"`
	Refusal      json.RawMessage `json:"refusal"`
	ToolCalls    json.RawMessage `json:"tool_calls"`
	FunctionCall json.RawMessage `json:"function_call"` // the predecessor of tool_calls
}

// part is one item of a message's content.
type part struct {
	Type    string          `json:"type"`
	Text    json.RawMessage `json:"text"`
	Refusal json.RawMessage `json:"refusal"`
	Content json.RawMessage `json:"content"` // of a tool's result
}

// Types of parts that are not the speaker's words.
const (
	partToolUse    = "tool_use"
	partToolResult = "tool_result"
)

// chatTurn is what a message says, and the role of its speaker.
type chatTurn struct {
	role string
	Answer
}

// isMessage reports whether m is a message, not a value that happens to have a
// "role".
func (m *message) isMessage() bool {
	return m.Role != "" && (m.Content != nil || hasValue(m.ToolCalls) || hasValue(m.FunctionCall) || hasValue(m.Refusal))
}

// turn returns what the message says. A refusal counts when there is no other text.
func (m *message) turn() chatTurn {
	s := chatTurn{m.Role, Answer{CallsTools: hasValue(m.ToolCalls) || hasValue(m.FunctionCall)}}
	refusal := stringOf(m.Refusal)
	if parts, ok := decodeList[part](m.Content); ok {
		var texts, refusals []string
		results := 0
		for _, p := range parts {
			texts = appendText(texts, p.text())
			refusals = appendText(refusals, stringOf(p.Refusal))
			s.CallsTools = s.CallsTools || p.Type == partToolUse
			if p.Type == partToolResult {
				results++
			}
		}
		if results > 0 && results == len(parts) && strings.EqualFold(s.role, roleUser) {
			s.role = roleTool
		}
		s.Text = strings.Join(texts, "\n")
		refusal = strings.Join(appendText(refusals, refusal), "\n")
	} else {
		s.Text, s.JSON = contentText(m.Content)
	}
	if refusal != "" && isBlank(s.Text) {
		s.Text, s.Refusal = refusal, true
	}
	return s
}

// text returns the text of a part. Tool results are read one level deep, however
// deep they are nested.
func (p *part) text() string {
	if p.Type != partToolResult {
		return stringText(p.Text)
	}
	results, ok := decodeList[part](p.Content)
	if !ok {
		text, _ := contentText(p.Content)
		return text
	}
	var texts []string
	for _, r := range results {
		texts = appendText(texts, stringOf(r.Text))
	}
	return strings.Join(texts, "\n")
}

// contentText returns the text of a content that is not a list of parts, and
// whether it is a JSON value.
func contentText(content []byte) (text string, value bool) {
	switch jsonKind(content) {
	case "nothing", "null":
		return "", false
	case "string":
		return stringText(content), false
	}
	return compact(content), true
}

// decodeList decodes a JSON array of objects. It reports false for an array of more
// than MaxItems, which would take too much memory.
func decodeList[T any](array []byte) ([]T, bool) {
	if jsonKind(array) != "array" || lengthOf(array) > MaxItems {
		return nil, false
	}
	var out []T
	return out, json.Unmarshal(array, &out) == nil
}

// hasValue reports whether a member is present and neither null nor empty, which
// is how some software writes members that are not used.
func hasValue(raw json.RawMessage) bool {
	switch jsonKind(raw) {
	case "object", "array":
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
	case "string":
		return stringOf(raw) != ""
	}
	return false
}

// isPart reports whether p is a part of a message's content, not an item of an
// answer that is itself a list.
func (p *part) isPart() bool {
	switch p.Type {
	case "text", "refusal", "thinking", "redacted_thinking", partToolUse:
		return true
	}
	return false
}

// stringText returns the text of a JSON string. If the text is itself a JSON
// document, as answers that follow a schema are, its escapes are expanded too, as
// those of a document that is not in a string are.
func stringText(raw []byte) string {
	s := stringOf(raw)
	if !strings.Contains(s, `\`) || !json.Valid([]byte(s)) {
		return s
	}
	return string(expandEscapes([]byte(s)))
}

// stringOf returns the text of a JSON string, empty for any other value.
func stringOf(raw []byte) string {
	var s string
	if jsonKind(raw) != "string" || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// compact returns a JSON value without the white space between its tokens.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return string(expandEscapes(b.Bytes()))
}

func appendText(texts []string, text string) []string {
	if text == "" {
		return texts
	}
	return append(texts, text)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
