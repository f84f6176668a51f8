package event

import (
	"bytes"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

func readLLMObs(d *decoder, e *Event, t jsonscan.Token) result {
	if t.Kind != jsonscan.Object {
		d.skip(t)
		return d.orWrong(t)
	}
	e.LLMObs = &LLMObs{}
	readMembers(d, e.LLMObs, &d.tables.llmobs)
	return found
}

// readToolCalls reads a list of calls, or one call, or the text of either. A call in no
// known form stands in its place in the list without a name, so that nobody takes the
// rest for all.
func readToolCalls(d *decoder, e *Event, t jsonscan.Token) result {
	var calls []ToolCall
	r := found
	switch t.Kind {
	case jsonscan.Object:
		calls, r = d.call(nil, t)
	case jsonscan.Array:
		calls = []ToolCall{}
		for item, ok := d.scan.Next(); ok && item.Kind != jsonscan.Close; item, ok = d.scan.Next() {
			if len(calls) == MaxItems {
				d.long = "tool_calls"
				d.skip(item)
				continue
			}
			var one result
			if calls, one = d.call(calls, item); one == wrong {
				r = wrong
			}
		}
	case jsonscan.String:
		return d.inText(t, func(inner *decoder, t jsonscan.Token) result { return readToolCalls(inner, e, t) })
	default:
		d.skip(t)
		return d.orWrong(t)
	}
	e.ToolCalls = calls
	return r
}

// inText reads the JSON object or array that the text of a string is: tables and some
// loggers keep what is nested as text.
func (d *decoder) inText(t jsonscan.Token, read func(*decoder, jsonscan.Token) result) result {
	inner := newDecoder(d.tables, []byte(d.string(t)))
	whole := inner.scan // a copy, which is read to its end first
	for _, ok := whole.Next(); ok; _, ok = whole.Next() {
	}
	first, _ := inner.scan.Next()
	switch {
	case len(bytes.TrimSpace(inner.data)) == 0:
		return absent
	case !whole.Whole() || first.Kind != jsonscan.Object && first.Kind != jsonscan.Array:
		return wrong
	}
	r := read(&inner, first)
	if d.long == "" {
		d.long = inner.long
	}
	return r
}

func (d *decoder) call(calls []ToolCall, t jsonscan.Token) ([]ToolCall, result) {
	calls = append(calls, ToolCall{})
	value := d.value(t)
	if value == nil {
		return calls, wrong
	}
	calls[len(calls)-1], _ = readCall(value) // a call in no known form has no name
	return calls, found
}

// readRetrieval reads a retrieval, or the list of what was retrieved.
func readRetrieval(d *decoder, e *Event, t jsonscan.Token) result {
	r := e.Retrieval
	if r == nil {
		r = &Retrieval{}
	}
	switch t.Kind {
	case jsonscan.Object:
		readMembers(d, r, &d.tables.retrieval)
	case jsonscan.Array:
		r.Chunks, _ = d.chunks()
	default:
		d.skip(t)
		return d.orWrong(t)
	}
	e.Retrieval = r
	return found
}

const wantChunks = "an array of passages"

// readChunks reads the passages of a retrieval: a list, or the text of a single one.
func readChunks(d *decoder, r *Retrieval, t jsonscan.Token) result {
	switch t.Kind {
	case jsonscan.Array:
		r.Chunks, _ = d.chunks()
		return found
	case jsonscan.String:
		s, res := d.text(t)
		if res == found {
			r.Chunks = []Chunk{{Text: s}}
		}
		return res
	}
	d.skip(t)
	return d.orWrong(t)
}

// readContexts reads passages that stand at the top of the event. The value is only
// taken when each of its items has a text.
func readContexts(d *decoder, _ *Event, t jsonscan.Token) result {
	chunks, r := d.topChunks(t, func(text string) bool { return text != "" })
	if r == found {
		d.contexts = chunks
	}
	return r
}

// readLikelyContexts does the same under names that an application may have for
// something else, such as the page that a user was on or the names of files: each
// text has to look like a passage, and other names count before.
func readLikelyContexts(d *decoder, _ *Event, t jsonscan.Token) result {
	chunks, r := d.topChunks(t, isPassage)
	if r == found && len(d.contexts) == 0 {
		d.contexts = chunks
	}
	return r
}

// isPassage reports whether a text has three words, or as many bytes as they take in
// a language that does not separate them.
func isPassage(text string) bool {
	const bytes, words = 40, 3
	return len(text) >= bytes || len(strings.Fields(text)) >= words
}

// topChunks reads a list of passages, or the text of one, if each fits.
func (d *decoder) topChunks(t jsonscan.Token, fits func(text string) bool) (chunks []Chunk, r result) {
	ignored, warned, long := d.ignored, d.warnings, d.long
	switch t.Kind {
	case jsonscan.Array:
		chunks, _ = d.chunks()
	case jsonscan.String:
		s, res := d.text(t)
		if res != found {
			return nil, res
		}
		chunks = []Chunk{{Text: s}}
	default:
		d.skip(t)
	}
	switch {
	case d.isNull(t):
		return nil, absent
	case len(chunks) == 0 || slices.ContainsFunc(chunks, func(c Chunk) bool { return !fits(c.Text) }):
		d.ignored, d.warnings, d.long = ignored, warned, long
		return nil, foreign
	}
	return chunks, found
}

// chunks reads the items of a list of passages, each an object or its text, and reports
// whether it is not empty and each has a text. Any other item stands in its place
// without a text, because answers cite passages by their places.
func (d *decoder) chunks() (chunks []Chunk, texts bool) {
	chunks, texts = []Chunk{}, true
	for item, ok := d.scan.Next(); ok && item.Kind != jsonscan.Close; item, ok = d.scan.Next() {
		if len(chunks) == MaxItems {
			d.long = "retrieval.chunks"
			d.skip(item)
			continue
		}
		chunks = append(chunks, Chunk{})
		last := &chunks[len(chunks)-1]
		switch item.Kind {
		case jsonscan.Object:
			readMembers(d, last, &d.tables.chunk)
		case jsonscan.Array: // of a query among several, as Chroma returns them
			inner, all := d.chunks()
			if chunks = append(chunks[:len(chunks)-1], inner...); len(chunks) > MaxItems {
				chunks, d.long = chunks[:MaxItems], "retrieval.chunks"
			}
			texts = texts && (all || len(inner) == 0)
			continue
		case jsonscan.String:
			last.Text, _ = d.text(item)
		default:
			if d.skip(item); !d.isNull(item) {
				d.wrong(d.tables.chunks, false, "retrieval.", "chunks", wantChunks, item)
			}
		}
		texts = texts && last.Text != ""
	}
	return chunks, texts && len(chunks) > 0
}

// readPassage reads the text of a passage: a string, the list of its parts, or an
// object that holds the text under one of its names.
func readPassage(d *decoder, c *Chunk, t jsonscan.Token) result {
	switch t.Kind {
	case jsonscan.Object:
		return readAround(d, c, t)
	case jsonscan.Array:
		return d.passageParts(c)
	}
	s, r := d.text(t)
	if r == found {
		c.Text = s
	}
	return r
}

func (d *decoder) passageParts(c *Chunk) result {
	d.around++
	parts, texts := d.chunks()
	d.around--
	if !texts {
		return wrong
	}
	lines := make([]string, len(parts))
	for i := range parts {
		lines[i] = parts[i].Text
	}
	c.Text = strings.Join(lines, "\n")
	return found
}

// readAround reads an object in which stores put parts of a passage, such as its
// metadata. What the passage says itself counts before.
func readAround(d *decoder, c *Chunk, t jsonscan.Token) result {
	if t.Kind != jsonscan.Object {
		d.skip(t)
		return absent
	}
	var inner Chunk
	d.around++
	readMembers(d, &inner, &d.tables.chunk)
	d.around--
	if c.ID == "" {
		c.ID = inner.ID
	}
	if c.Text == "" {
		c.Text = inner.Text
	}
	if c.Score == nil {
		c.Score = inner.Score
	}
	return absent
}
