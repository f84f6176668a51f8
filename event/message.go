package event

import (
	"bytes"
	"encoding/json"
	"strings"
)

// message is one message of a chat, in the forms in which providers write it.
type message struct {
	Role         string          `json:"role"`
	Content      json.RawMessage `json:"content"`
	Refusal      json.RawMessage `json:"refusal"`
	ToolCalls    json.RawMessage `json:"tool_calls"`
	FunctionCall json.RawMessage `json:"function_call"` // before there were tool_calls
}

// part is one entry of a content that is a list.
type part struct {
	Type    string          `json:"type"`
	Text    json.RawMessage `json:"text"`
	Refusal json.RawMessage `json:"refusal"`
	Content json.RawMessage `json:"content"` // of a tool's result
}

// Types of parts that are no words of the speaker's.
const (
	partToolUse    = "tool_use"
	partToolResult = "tool_result"
)

// spoken is a message as it is read.
type chatTurn struct {
	role string
	Said
}

// isMessage tells a message from a value that has a member "role" by chance.
func (m *message) isMessage() bool {
	return m.Role != "" && (m.Content != nil || hasValue(m.ToolCalls) || hasValue(m.FunctionCall) || hasValue(m.Refusal))
}

// read gives what the message says. A refusal counts where nothing else is said.
func (m *message) turn() chatTurn {
	s := chatTurn{m.Role, Said{CallsTools: hasValue(m.ToolCalls) || hasValue(m.FunctionCall)}}
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

// text gives what is to be read of a part. Results lie in each other once, not
// as often as somebody likes.
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

// textOf gives the text of a content that is no list of parts, and whether that
// is a JSON value.
func contentText(content []byte) (text string, value bool) {
	switch jsonKind(content) {
	case "nothing", "null":
		return "", false
	case "string":
		return stringText(content), false
	}
	return compact(content), true
}

// list decodes a JSON array of objects. One that is longer than MaxItems is left
// as it is, for what it would take.
func decodeList[T any](array []byte) ([]T, bool) {
	if jsonKind(array) != "array" || lengthOf(array) > MaxItems {
		return nil, false
	}
	var out []T
	return out, json.Unmarshal(array, &out) == nil
}

// given reports whether a member holds something: it is there, and is not null
// and not empty, as software writes members that were not used.
func hasValue(raw json.RawMessage) bool {
	switch jsonKind(raw) {
	case "object", "array":
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
	case "string":
		return stringOf(raw) != ""
	}
	return false
}

// isPart tells the parts of a content from the items of an answer that is a list.
func (p *part) isPart() bool {
	switch p.Type {
	case "text", "refusal", "thinking", "redacted_thinking", partToolUse:
		return true
	}
	return false
}

// speech gives the text of a JSON string. One that is a JSON document itself, as
// answers that follow a schema are published, is read like any other: with its
// escapes written out.
func stringText(raw []byte) string {
	s := stringOf(raw)
	if !strings.Contains(s, `\`) || !json.Valid([]byte(s)) {
		return s
	}
	return string(expandEscapes([]byte(s)))
}

// stringOf gives the text of a JSON string, and nothing of any other value.
func stringOf(raw []byte) string {
	var s string
	if jsonKind(raw) != "string" || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// compact gives a JSON value as text, without the white space between its tokens.
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
