package eval

import (
	"bytes"
	"encoding/json"
	"errors"
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
type spoken struct {
	role string
	Said
}

// isMessage tells a message from a value that has a member "role" by chance.
func (m *message) isMessage() bool {
	return m.Role != "" && (m.Content != nil || given(m.ToolCalls) || given(m.FunctionCall) || given(m.Refusal))
}

// read gives what the message says. A refusal counts where nothing else is said.
func (m *message) read() spoken {
	s := spoken{m.Role, Said{CallsTools: given(m.ToolCalls) || given(m.FunctionCall)}}
	refusal := stringOf(m.Refusal)
	switch jsonKind(m.Content) {
	case "string":
		s.Text = stringOf(m.Content)
	case "object":
		s.Text, s.JSON = compact(m.Content), true
	case "array":
		var texts, refusals []string
		results, others := false, false
		each(m.Content, func(p *part) bool {
			texts = appendText(texts, p.text())
			refusals = appendText(refusals, stringOf(p.Refusal))
			s.CallsTools = s.CallsTools || p.Type == partToolUse
			results, others = results || p.Type == partToolResult, others || p.Type != partToolResult
			return true
		})
		if results && !others && strings.EqualFold(s.role, roleUser) {
			s.role = roleTool
		}
		s.Text = strings.Join(texts, "\n")
		refusal = strings.Join(appendText(refusals, refusal), "\n")
	}
	if refusal != "" && blank(s.Text) {
		s.Text, s.Refusal = refusal, true
	}
	return s
}

// text gives what is to be read of a part. Results lie in each other once, not
// as often as somebody likes.
func (p *part) text() string {
	if p.Type != partToolResult {
		return stringOf(p.Text)
	}
	switch jsonKind(p.Content) {
	case "string":
		return stringOf(p.Content)
	case "array":
		var texts []string
		each(p.Content, func(inner *part) bool {
			texts = appendText(texts, stringOf(inner.Text))
			return true
		})
		return strings.Join(texts, "\n")
	case "object":
		return compact(p.Content)
	}
	return ""
}

// each hands the items of a JSON array to f, one at a time until f has enough,
// so that a list of a million small items is never held as a million large ones.
// An item of another form comes as far as it could be read.
func each[T any](array []byte, f func(*T) (more bool)) {
	dec := json.NewDecoder(bytes.NewReader(array))
	if _, err := dec.Token(); err != nil {
		return
	}
	for dec.More() {
		var item T
		err := dec.Decode(&item)
		var typ *json.UnmarshalTypeError
		if err != nil && !errors.As(err, &typ) || !f(&item) {
			return
		}
	}
}

// given reports whether a member holds something: it is there, and is not null
// and not empty, as software writes members that were not used.
func given(raw json.RawMessage) bool {
	switch jsonKind(raw) {
	case "object", "array":
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
	case "string":
		return stringOf(raw) != ""
	}
	return false
}

// stringOf gives the text of a JSON string, and nothing of any other value.
func stringOf(raw []byte) string {
	var s string
	if jsonKind(raw) != "string" || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// compact gives a JSON value without the white space between its tokens.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

func appendText(texts []string, text string) []string {
	if text == "" {
		return texts
	}
	return append(texts, text)
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
