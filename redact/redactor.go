package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// Redactor removes secrets and personal data from content. It is safe for
// concurrent use.
type Redactor struct {
	detector *Detector // nil: nothing is redacted
	ids      *Detector // of what makes an id sensitive; numbers do not
	names    names
}

// New returns a redactor. The error is of type [fault.List].
func New(cfg Config) (*Redactor, error) {
	if cfg.Disabled {
		return &Redactor{}, nil
	}
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	d, err := NewDetector(cfg.kinds(), cfg.Patterns...)
	if err != nil {
		return nil, err
	}
	// Digits in an id are not a telephone number.
	var inIDs []string
	for _, k := range d.kinds[:len(d.kinds)-len(d.patterns)] {
		if k.Name == "email" || k.Class == ClassSecret {
			inIDs = append(inIDs, k.Name)
		}
	}
	ids := &Detector{}
	if len(inIDs) > 0 {
		if ids, err = NewDetector(inIDs); err != nil {
			return nil, err
		}
	}
	return &Redactor{detector: d, ids: ids}, nil
}

// Text returns s with each sensitive place replaced by the name of its kind, such
// as [EMAIL]. A detector of the same kinds finds nothing in the result.
func (r *Redactor) Text(s string) string {
	if r.detector == nil {
		return s
	}
	return r.detector.clean("", s)
}

// maxRounds bounds how often a text is searched again after places in it have been
// replaced: what touched one of them may be found only then.
const maxRounds = 8

// redactedMark stands in the marker of a text that is replaced as a whole.
const redactedMark = "redacted"

// clean returns the value of a named field, or a text without a name, in which
// nothing sensitive is left.
func (d *Detector) clean(name, s string) string {
	return d.fixed(s, func(s string) []Match { return d.findField(name, s) })
}

// fixed replaces what find finds in a text until it finds nothing more.
func (d *Detector) fixed(s string, find func(string) []Match) string {
	for range maxRounds {
		found := slices.DeleteFunc(find(s), func(m Match) bool { return d.isMarker(s[m.Start:m.End]) })
		switch {
		case len(found) == 0 && d.hides(s):
			return marker(redactedMark)
		case len(found) == 0:
			return s
		}
		s = replace(s, found)
	}
	return marker(redactedMark) // a text that was built to hide one thing behind another
}

// replace replaces matches by markers.
func replace(s string, found []Match) string {
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

// isMarker reports whether a text is what replaces one of the kinds.
func (d *Detector) isMarker(s string) bool {
	return len(s) > 2 && s[0] == '[' && (s == marker(redactedMark) || s == marker(roleKey) || slices.ContainsFunc(d.kinds, func(k Kind) bool { return s == marker(k.Name) }))
}

// looksLikeMarker reports whether a text is what replaces some kind.
func looksLikeMarker(s string) bool {
	return len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' && s[1] >= 'A' && s[1] <= 'Z' && strings.Trim(s[1:len(s)-1], capitals+"_#0123456789") == ""
}

// Event returns a copy of e in which all content is redacted: input, output,
// expected, query, passages and their ids, tools, their calls with name, status,
// arguments and results, and comment. The same text always becomes the same marker.
// What names the request is the business of [Redactor.Names].
//
// What is redacted is the text as it will be shown: see [Detector.Find].
//
// JSON keeps its structure and every byte that is not sensitive. Keys are redacted
// too; of several that become equal, the later ones get a number. A string or number
// under a key such as password, at any depth, is replaced as a whole; its description
// in a JSON schema stays. A sensitive number becomes a string. A string that holds
// JSON, such as the arguments of a tool, is redacted as JSON first, then as text.
//
// An error means that some content could not be read or exceeds a bound (128 levels
// of nesting, 16 MiB per event), so that nothing of the event may be shown or stored.
// It names the field, never its content.
func (r *Redactor) Event(e *event.Event) (*event.Event, error) {
	if r.detector == nil {
		return e, nil
	}
	if contentSize(e) > maxContent {
		return nil, fmt.Errorf("more than %d MiB of content", maxContent>>20)
	}
	out := *e
	var errs []error
	content := func(name string, c event.Content) event.Content {
		redacted, err := r.content(c, name == "output")
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
		retrieval.Chunks = make([]event.Chunk, len(e.Retrieval.Chunks))
		var ids frame
		for i, c := range e.Retrieval.Chunks {
			c.Text = r.Text(c.Text)
			if id := r.Text(string(c.ID)); id != string(c.ID) {
				c.ID = event.ID(ids.unique(id)) // so that passages stay apart
			}
			retrieval.Chunks[i] = c
		}
		out.Retrieval = &retrieval
	}
	if e.ToolCalls != nil {
		out.ToolCalls = make([]event.ToolCall, len(e.ToolCalls))
		for i, c := range e.ToolCalls {
			c.Arguments = content("tool_calls.arguments", c.Arguments)
			c.Result = content("tool_calls.result", c.Result)
			c.Name, c.Status = r.Text(c.Name), r.Text(c.Status)
			out.ToolCalls[i] = c
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &out, nil
}

// maxContent bounds the content of one event, in bytes. At this size, text that
// consists of near matches takes ten seconds; as a chat or JSON in a string, which is
// searched up to four times, forty.
const maxContent = 16 << 20

func contentSize(e *event.Event) int {
	n := len(e.Input.Raw()) + len(e.Output.Raw()) + len(e.Expected.Raw()) + len(e.Tools.Raw()) + len(e.Comment)
	if e.Retrieval != nil {
		n += len(e.Retrieval.Query)
		for i := range e.Retrieval.Chunks {
			n += len(e.Retrieval.Chunks[i].Text) + len(e.Retrieval.Chunks[i].ID)
		}
	}
	for i := range e.ToolCalls {
		n += len(e.ToolCalls[i].Arguments.Raw()) + len(e.ToolCalls[i].Result.Raw()) + len(e.ToolCalls[i].Name) + len(e.ToolCalls[i].Status)
	}
	return n
}

// maxPasses bounds how often content is redacted.
const maxPasses = 3

// content returns content in which nothing is found in any form in which it is shown,
// which for an output includes the answer. What several strings hold together is
// replaced with the whole of each of them; where that does not suffice, nothing of the
// content may be shown.
func (r *Redactor) content(c event.Content, isOutput bool) (event.Content, error) {
	var left []string // by the passes before
	for range maxPasses {
		if c.IsZero() {
			return c, nil
		}
		raw := string(c.Raw())
		w := jsonWalk{find: r.detector, raw: raw, whole: left}
		redacted, err := w.redact()
		switch {
		case err != nil:
			return event.Content{}, err
		case redacted != nil:
			if c = event.JSON(redacted); c.IsZero() || !json.Valid(redacted) {
				return event.Content{}, errInvalid // a bug in our own output: withhold the event rather than lose the field
			}
		case left != nil:
			return event.Content{}, errLeft // nothing of it is in any one string
		case isPlain(raw) && len(r.detector.leftIn(w.shortened(c), isOutput, false)) == 0:
			return c, nil // unchanged, byte for byte
		}
		switch left = r.detector.leftIn(c, isOutput, true); {
		case len(left) == 0:
			return c, nil
		case tooMuch(left):
			return event.Content{}, errLeft
		}
	}
	return event.Content{}, errLeft
}
