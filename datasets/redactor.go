package datasets

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/sensitive"
)

// Redactor takes secrets and personal data out of content. It never changes and
// is safe for concurrent use.
type Redactor struct {
	detector *sensitive.Detector // nil: redaction is disabled
}

// NewRedactor makes a redactor. The error is [eval.Faults].
func NewRedactor(cfg RedactionConfig) (*Redactor, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if cfg.Disabled {
		return &Redactor{}, nil
	}
	custom := make([]sensitive.Custom, len(cfg.Patterns))
	for i, p := range cfg.Patterns {
		custom[i] = sensitive.Custom(p)
	}
	kinds := cfg.kinds()
	if len(kinds) == 0 { // custom patterns alone
		kinds = []string{}
		d, err := sensitive.Only(custom...)
		return &Redactor{d}, err
	}
	d, err := sensitive.New(kinds, custom...)
	if err != nil {
		return nil, err
	}
	return &Redactor{d}, nil
}

// Bounds of what is redacted. Content beyond them cannot be redacted, and so is
// not shown.
const (
	maxDepth   = 128      // of nested JSON values
	maxContent = 16 << 20 // bytes of one event's content
)

var (
	errTooDeep  = fmt.Errorf("nested deeper than %d values", maxDepth)
	errTooLarge = fmt.Errorf("larger than %d MiB", maxContent>>20)
	errInvalid  = errors.New("no valid JSON")
)

// Event gives a copy of the event in which each sensitive part of its content is
// replaced by a marker such as [EMAIL]: in input, output, expected output,
// retrieval, tool calls, tools and comment. Ids, names and measures stay. JSON
// keeps its structure: strings and keys are redacted in place; a number that is
// sensitive, such as a card's, becomes a string. The same value always becomes
// the same marker. The copy shares with e what it does not redact.
//
// An error means that the content could not be redacted and must not be shown
// or written. Its reason is [eval.ReasonRedaction]; it names the field and holds
// no content.
func (r *Redactor) Event(e *eval.Event) (*eval.Event, error) {
	out := *e
	if r.detector == nil {
		return &out, nil
	}
	w := walk{find: r.detector}
	out.Input = w.content("input", e.Input)
	out.Output = w.content("output", e.Output)
	out.Expected = w.content("expected", e.Expected)
	out.Tools = w.content("tools", e.Tools)
	out.Comment = w.text("comment", e.Comment)
	if e.Retrieval != nil {
		found := *e.Retrieval
		found.Query = w.text("retrieval.query", found.Query)
		found.Chunks = slices.Clone(found.Chunks)
		for i := range found.Chunks {
			found.Chunks[i].Text = w.text("retrieval.chunks", found.Chunks[i].Text)
		}
		out.Retrieval = &found
	}
	out.ToolCalls = slices.Clone(e.ToolCalls)
	for i := range out.ToolCalls {
		call := &out.ToolCalls[i]
		call.Arguments = w.content("tool_calls.arguments", call.Arguments)
		call.Result = w.content("tool_calls.result", call.Result)
	}
	if w.err != nil {
		return nil, eval.WithReason(eval.ReasonRedaction, w.err)
	}
	return &out, nil
}

// Text gives s with each sensitive part replaced by its marker.
func (r *Redactor) Text(s string) string {
	if r.detector == nil {
		return s
	}
	return replace(s, r.detector.Find(s))
}

// replace puts markers in place of matches.
func replace(s string, matches []sensitive.Match) string {
	if len(matches) == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	end := 0
	for _, m := range matches {
		b.WriteString(s[end:m.Start])
		b.WriteString(marker(m.Kind))
		end = m.End
	}
	b.WriteString(s[end:])
	return b.String()
}

func marker(kind string) string { return "[" + strings.ToUpper(kind) + "]" }

// walk redacts the fields of one event. After an error it gives nothing more.
type walk struct {
	find *sensitive.Detector
	size int // bytes so far
	err  error
}

// admit counts a field of n bytes and reports whether it may be redacted.
func (w *walk) admit(field string, n int) bool {
	if w.size += n; w.size > maxContent && w.err == nil {
		w.err = fmt.Errorf("redact %s: %w", field, errTooLarge)
	}
	return w.err == nil
}

func (w *walk) text(field, s string) string {
	if !w.admit(field, len(s)) {
		return ""
	}
	return replace(s, w.find.Find(s))
}

func (w *walk) content(field string, c eval.Content) eval.Content {
	raw := c.Raw()
	if !w.admit(field, len(raw)) || len(raw) == 0 {
		return eval.Content{}
	}
	out, err := redactJSON(w.find, raw)
	if err != nil {
		w.err = fmt.Errorf("redact %s: %w", field, err)
		return eval.Content{}
	}
	return eval.JSON(out)
}
