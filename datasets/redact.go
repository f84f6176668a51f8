package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/sensitive"
)

// Redactor takes secrets and personal data out of content. It is safe for
// concurrent use.
type Redactor struct{ detector *sensitive.Detector } // nil: nothing is taken out

// NewRedactor makes a redactor. The error is of type [eval.Faults].
func NewRedactor(cfg RedactionConfig) (*Redactor, error) {
	d, err := cfg.detector()
	if err != nil {
		return nil, err
	}
	return &Redactor{d}, nil
}

// Text gives s with each sensitive place replaced by the name of its kind, such
// as [EMAIL].
func (r *Redactor) Text(s string) string {
	if r.detector == nil {
		return s
	}
	found := r.detector.Find(s)
	if len(found) == 0 {
		return s
	}
	var b strings.Builder
	at := 0
	for _, m := range found {
		b.WriteString(s[at:m.Start])
		b.WriteString(marker(m.Kind))
		at = m.End
	}
	b.WriteString(s[at:])
	return b.String()
}

func marker(kind string) string { return "[" + strings.ToUpper(kind) + "]" }

// Event gives a copy of e in which all content is redacted: input, output,
// expected, query and passages, arguments and results of tools, comment. JSON
// keeps its structure; keys are redacted too. Ids and dimensions stay. An error
// means that some content could not be read, so that nothing of the event may be
// shown to anybody.
func (r *Redactor) Event(e *eval.Event) (*eval.Event, error) {
	if r.detector == nil {
		return e, nil
	}
	out := *e
	var errs []error
	content := func(name string, c eval.Content) eval.Content {
		redacted, err := r.content(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("redact %s: %w", name, err))
		}
		return redacted
	}
	out.Input = content("input", e.Input)
	out.Output = content("output", e.Output)
	out.Expected = content("expected", e.Expected)
	out.Tools = content("tools", e.Tools)
	out.Comment = r.Text(e.Comment)
	if e.Retrieval != nil {
		retrieval := *e.Retrieval
		retrieval.Query = r.Text(retrieval.Query)
		retrieval.Chunks = make([]eval.Chunk, len(e.Retrieval.Chunks))
		for i, c := range e.Retrieval.Chunks {
			c.Text = r.Text(c.Text)
			retrieval.Chunks[i] = c
		}
		out.Retrieval = &retrieval
	}
	if e.ToolCalls != nil {
		out.ToolCalls = make([]eval.ToolCall, len(e.ToolCalls))
		for i, c := range e.ToolCalls {
			c.Arguments = content("tool_calls.arguments", c.Arguments)
			c.Result = content("tool_calls.result", c.Result)
			out.ToolCalls[i] = c
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &out, nil
}

func (r *Redactor) content(c eval.Content) (eval.Content, error) {
	if c.IsZero() {
		return c, nil
	}
	var b bytes.Buffer
	if err := r.rewrite(&b, c.Raw()); err != nil {
		return eval.Content{}, err
	}
	return eval.JSON(b.Bytes()), nil
}

// rewrite copies a JSON value token by token, so that order and numbers stay as
// they are, and redacts its strings. It needs no stack of its own depth.
func (r *Redactor) rewrite(b *bytes.Buffer, raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var open []level
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("invalid JSON")
		}
		if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
			open = open[:len(open)-1]
			b.WriteByte(byte(d))
			continue
		}
		if n := len(open); n > 0 {
			open[n-1].separate(b)
		}
		switch t := token.(type) {
		case json.Delim:
			open = append(open, level{object: t == '{'})
			b.WriteByte(byte(t))
		case string:
			err = quote(b, r.Text(t))
		case json.Number:
			// A card's number may be a bare number.
			if redacted := r.Text(t.String()); redacted != t.String() {
				err = quote(b, redacted)
			} else {
				b.WriteString(t.String())
			}
		case bool:
			fmt.Fprint(b, t)
		default:
			b.WriteString("null")
		}
		if err != nil {
			return err
		}
	}
}

// level is an object or an array that has been opened.
type level struct {
	object bool
	tokens int // written so far, keys included
}

func (l *level) separate(b *bytes.Buffer) {
	switch {
	case l.object && l.tokens%2 == 1:
		b.WriteByte(':')
	case l.tokens > 0:
		b.WriteByte(',')
	}
	l.tokens++
}

func quote(b *bytes.Buffer, s string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder ends with a new line
	return nil
}
