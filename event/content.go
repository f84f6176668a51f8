package event

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Content is the words of a user or a model: a JSON value that is kept as it was
// published and read in the form that an evaluator needs. The zero value is absent
// content. Content has no String method, so that it does not reach a log, a span
// tag or a metric by mistake.
type Content struct{ raw json.RawMessage }

// Text returns content that is plain text.
func Text(s string) Content {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return Content{}
	}
	return Content{b}
}

// JSON returns content that is a JSON value; absent content for null and invalid
// JSON. The caller must not change b afterwards.
func JSON(b json.RawMessage) Content {
	b = bytes.TrimSpace(b)
	if !json.Valid(b) || string(b) == "null" {
		return Content{}
	}
	return Content{b}
}

// IsZero reports whether the content is absent.
func (c Content) IsZero() bool { return len(c.raw) == 0 }

// Raw returns the JSON value as it was published; nil when absent. The caller
// must not change it.
func (c Content) Raw() json.RawMessage { return c.raw }

// MarshalJSON returns the value unchanged.
func (c Content) MarshalJSON() ([]byte, error) {
	if c.IsZero() {
		return []byte("null"), nil
	}
	return c.raw, nil
}

// UnmarshalJSON keeps a copy of the value.
func (c *Content) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		c.raw = nil
		return nil
	}
	c.raw = bytes.Clone(b)
	return nil
}

// Turn is one message of a chat.
type Turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Text returns the content as a reader would see it: the text of a string, of an
// assistant message or of its parts; "role: text" lines for chat messages; and
// compact JSON for any other value, with \u00e9 written as é. It is empty when the
// content is absent.
func (c Content) Text() string {
	ms, chat := c.messages()
	switch {
	case c.IsZero():
		return ""
	case jsonKind(c.raw) == "string":
		return stringText(c.raw)
	case chat:
		lines := make([]string, len(ms))
		for i, m := range ms {
			lines[i] = m.role + ": " + m.Text
		}
		return strings.Join(lines, "\n")
	case len(ms) > 0:
		return ms[0].Text
	}
	return compact(c.raw)
}

// IsText reports whether the content is prose: a string, an assistant message or
// chat messages, as opposed to a bare JSON value.
func (c Content) IsText() bool {
	ms, _ := c.messages()
	return len(ms) > 0 || jsonKind(c.raw) == "string"
}

// messages returns the messages of a chat, or else the single message that the
// content is, which may be written as the list of its parts.
func (c Content) messages() (ms []chatTurn, chat bool) {
	switch jsonKind(c.raw) {
	case "object":
		if m, ok := c.message(); ok {
			return []chatTurn{m}, false
		}
	case "array":
		if ms, ok := c.chat(); ok {
			return ms, true
		}
		if m, ok := c.parts(); ok {
			return []chatTurn{m}, false
		}
	}
	return nil, false
}

// Turns returns the chat messages, or false when the content is something else.
// When a message's content is a list of parts, their texts are joined, tool results
// included; the text of a refusal is its words. A user's message that holds tool
// results only gets the role tool, because some providers have that role and others
// do not.
func (c Content) Turns() ([]Turn, bool) {
	ms, ok := c.chat()
	if !ok {
		return nil, false
	}
	turns := make([]Turn, len(ms))
	for i, m := range ms {
		turns[i] = Turn{m.role, m.Text}
	}
	return turns, true
}

// chat returns the chat messages of a list that holds nothing else.
func (c Content) chat() ([]chatTurn, bool) {
	ms, ok := decodeList[message](c.raw)
	if !ok || len(ms) == 0 || slices.ContainsFunc(ms, func(m message) bool { return !m.isMessage() }) {
		return nil, false
	}
	out := make([]chatTurn, len(ms))
	for i := range ms {
		out[i] = ms[i].turn()
	}
	return out, true
}

// message returns a single chat message. A message of another role than the
// assistant's needs a text; without one the content is a value that has members of
// these names by chance.
func (c Content) message() (chatTurn, bool) {
	var m message
	if jsonKind(c.raw) != "object" || json.Unmarshal(c.raw, &m) != nil {
		return chatTurn{}, false
	}
	if !m.isMessage() && !c.readChoice(&m) {
		return chatTurn{}, false
	}
	s := m.turn()
	return s, s.Text != "" || strings.EqualFold(s.role, roleAssistant)
}

// readChoice reads the message of a whole OpenAI response into m.
func (c Content) readChoice(m *message) bool {
	var response struct {
		Choices []struct {
			Message message `json:"message"`
		} `json:"choices"`
	}
	if !bytes.Contains(c.raw, []byte(`"choices"`)) || json.Unmarshal(c.raw, &response) != nil || len(response.Choices) == 0 {
		return false
	}
	*m = response.Choices[0].Message
	return m.isMessage()
}

// parts returns the assistant message whose content is this list of parts.
func (c Content) parts() (chatTurn, bool) {
	ps, ok := decodeList[part](c.raw)
	if !ok || len(ps) == 0 || slices.ContainsFunc(ps, func(p part) bool { return !p.isPart() }) {
		return chatTurn{}, false
	}
	m := message{Role: roleAssistant, Content: c.raw}
	return m.turn(), true
}

// Roles that decide how a message is read.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleTool      = "tool"
)
