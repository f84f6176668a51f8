package eval

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Content is what was said, by a user or by a model: a JSON value that is kept
// as it was published and read in the form that an evaluator needs. The zero
// value is absent content. Content never reaches a log, a span tag or a metric,
// which is why it has no String method.
type Content struct{ raw json.RawMessage }

// Text makes content of plain text.
func Text(s string) Content {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return Content{}
	}
	return Content{b}
}

// JSON makes content of a JSON value. The caller must not change b afterwards.
// Invalid JSON and null make absent content.
func JSON(b json.RawMessage) Content {
	if !json.Valid(b) || string(bytes.TrimSpace(b)) == "null" {
		return Content{}
	}
	return Content{b}
}

// IsZero reports whether the content is absent.
func (c Content) IsZero() bool { return len(c.raw) == 0 }

// Raw gives the JSON value as it was published; nil when absent. The caller
// must not change it.
func (c Content) Raw() json.RawMessage { return c.raw }

// MarshalJSON gives the value back unchanged.
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

// Text gives the content as a reader would see it: a string as it is, an
// assistant message as its text, chat messages as "role: text" lines, and any
// other JSON value as compact JSON. It is empty when the content is absent.
func (c Content) Text() string {
	switch {
	case c.IsZero():
		return ""
	case c.raw[0] == '"':
		return c.str()
	}
	if m, ok := c.message(); ok {
		return m.Content
	}
	if ms, ok := c.Turns(); ok {
		var b strings.Builder
		for i, m := range ms {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(m.Role)
			b.WriteString(": ")
			b.WriteString(m.Content)
		}
		return b.String()
	}
	var b bytes.Buffer
	if json.Compact(&b, c.raw) != nil {
		return string(c.raw)
	}
	return b.String()
}

// IsText reports whether the content is prose of somebody's: a string, an
// assistant message or chat messages, as opposed to a bare JSON value.
func (c Content) IsText() bool {
	if c.IsZero() {
		return false
	}
	if c.raw[0] == '"' {
		return true
	}
	if _, ok := c.message(); ok {
		return true
	}
	_, ok := c.Turns()
	return ok
}

// Turns gives chat messages, or false when the content is something else. A
// message's content may be a string or a list of parts, of which the text
// parts are joined.
func (c Content) Turns() ([]Turn, bool) {
	if c.IsZero() || c.raw[0] != '[' {
		return nil, false
	}
	var wire []wireMessage
	if json.Unmarshal(c.raw, &wire) != nil || len(wire) == 0 {
		return nil, false
	}
	out := make([]Turn, 0, len(wire))
	for _, w := range wire {
		if w.Role == "" {
			return nil, false
		}
		out = append(out, w.message())
	}
	return out, true
}

// message gives a single chat message.
func (c Content) message() (Turn, bool) {
	if c.IsZero() || c.raw[0] != '{' {
		return Turn{}, false
	}
	var w wireMessage
	if json.Unmarshal(c.raw, &w) != nil || w.Role == "" || w.Content == nil {
		return Turn{}, false
	}
	return w.message(), true
}

func (c Content) str() string {
	var s string
	if json.Unmarshal(c.raw, &s) != nil {
		return ""
	}
	return s
}

type wireMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

func (w wireMessage) message() Turn {
	m := Turn{Role: w.Role}
	if len(w.Content) == 0 {
		return m
	}
	switch w.Content[0] {
	case '"':
		m.Content = Content{w.Content}.str()
	case '[':
		var parts []struct {
			Text string `json:"text"`
		}
		if json.Unmarshal(w.Content, &parts) != nil {
			break
		}
		texts := make([]string, 0, len(parts))
		for _, p := range parts {
			if p.Text != "" {
				texts = append(texts, p.Text)
			}
		}
		m.Content = strings.Join(texts, "\n")
	}
	return m
}
