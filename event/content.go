package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// Content is the words of a user or a model: a JSON value that is kept as it was
// published and read in the form that an evaluator needs. The zero value is absent
// content. Copies share what has been read, so that content is read once however
// many evaluators ask; they may ask at the same time. Content has no String method,
// so that it does not reach a log, a span tag or a metric by mistake.
type Content struct {
	raw  json.RawMessage
	memo *memo // of content that is not absent
}

// memo keeps what has been read of a content. It is small, because an event may
// have thousands of contents of which few are read.
type memo struct {
	answerOnce, turnsOnce, textOnce sync.Once

	answer *Answer
	turns  *[]Turn // nil when the content is no chat
	text   *string
}

// cache returns the content's memo. Content that was not made by this package's
// functions has none and is read anew each time.
func (c Content) cache() *memo {
	if c.memo == nil {
		return &memo{}
	}
	return c.memo
}

// newContent returns content that is a JSON value, which must be valid.
func newContent(raw json.RawMessage) Content { return Content{raw, &memo{}} }

// Text returns content that is plain text.
func Text(s string) Content {
	const room = len(`""`) + 32 // for the quotes and some escapes
	return newContent(jsonscan.AppendQuoted(make([]byte, 0, len(s)+room), s))
}

// JSON returns content that is a JSON value; absent content for null and nothing. What is
// no JSON is kept as text, such as the arguments of a tool that a limit of tokens cut off:
// that they are broken is what an evaluation has to find. The caller must not change b
// afterwards.
func JSON(b json.RawMessage) Content {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || string(b) == "null":
		return Content{}
	case !json.Valid(b):
		return Text(string(b))
	}
	return newContent(b)
}

// IsZero reports whether the content is absent.
func (c Content) IsZero() bool { return len(c.raw) == 0 }

// Equal reports whether both contents are the same JSON value, byte for byte.
func (c Content) Equal(other Content) bool { return bytes.Equal(c.raw, other.raw) }

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
		*c = Content{}
		return nil
	}
	*c = newContent(bytes.Clone(b))
	return nil
}

// Turn is one message of a chat.
type Turn struct {
	Role    string `json:"role"` // user, assistant, system, tool, or the name of another role
	Content string `json:"content"`
}

// Answer reads the content as the model's answer. The zero Answer stands for absent
// content. [Event.Answer] also knows the event's other fields.
func (c Content) Answer() Answer {
	if c.IsZero() {
		return Answer{}
	}
	m := c.cache()
	m.answerOnce.Do(func() {
		a := readAnswer(c.raw)
		m.answer = &a
	})
	return *m.answer
}

// Turns returns the messages of a chat, or false when the content is something
// else. A chat is a list of messages in any provider's form, a request's body that
// holds one, or a string that holds either. The texts of a message's parts are
// joined, results of tools included; pictures and other files become placeholders
// such as "[image, 50 KB]", and a model's reasoning is left out. The caller must
// not change the turns.
func (c Content) Turns() ([]Turn, bool) {
	if c.IsZero() {
		return nil, false
	}
	m := c.cache()
	m.turnsOnce.Do(func() {
		if turns, ok := readChat(c.raw); ok {
			m.turns = &turns
		}
	})
	if m.turns == nil {
		return nil, false
	}
	return *m.turns, true
}

// Text returns the content as a reader would see it: "role: text" lines for a chat;
// the text of a string, a message or a response; and compact JSON for any other
// value, with \u00e9 written as é. Pictures and other files are placeholders. It is
// empty when the content is absent.
func (c Content) Text() string {
	if c.IsZero() {
		return ""
	}
	m := c.cache()
	m.textOnce.Do(func() {
		s := c.show()
		m.text = &s
	})
	return *m.text
}

func (c Content) show() string {
	if turns, ok := c.Turns(); ok {
		lines := make([]string, len(turns))
		for i, t := range turns {
			lines[i] = t.Role + ": " + t.Content
		}
		return strings.Join(lines, "\n")
	}
	if jsonKind(c.raw) == "string" {
		return hideData(expandDocument(stringOf(c.raw)))
	}
	a := c.Answer()
	if a.Unread != "" {
		return hideData(compact(c.raw))
	}
	if turn, ok := readTurn(c.raw); ok && (turn.Content != "" || turn.Role == RoleAssistant) {
		return turn.Content
	}
	if !a.JSON {
		return hideData(a.Text)
	}
	return hideData(compact(c.raw))
}

// Reply returns an output as a reader would see it: the answer without the model's
// reasoning, and otherwise what Text returns.
func (c Content) Reply() string {
	a := c.Answer()
	if _, chat := c.Turns(); chat || a.JSON || a.Unread != "" {
		return c.Text()
	}
	return hideData(a.Text)
}

// Plain returns the content as data: the text of a string, and compact JSON for any
// other value, even one that has the form of a message. It is for the arguments of
// tools and the like.
func (c Content) Plain() string {
	switch jsonKind(c.raw) {
	case "nothing":
		return ""
	case "string":
		return expandDocument(stringOf(c.raw))
	}
	return compact(c.raw)
}

// IsText reports whether the content is prose: a string, a message, a response or a
// chat, as opposed to a bare JSON value.
func (c Content) IsText() bool {
	if c.IsZero() {
		return false
	}
	if a := c.Answer(); !a.JSON {
		return a.Unread == ""
	}
	_, chat := c.Turns()
	return chat
}
