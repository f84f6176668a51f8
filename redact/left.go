package redact

import (
	"errors"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
	"github.com/evalworker/evalworker/internal/base/visible"
)

// errLeft says that content may not be shown although it has been redacted.
var errLeft = errors.New("what is sensitive can not be told from what is not")

// left returns what the detector finds in a text, except for markers.
func (d *Detector) left(text string) (left []string) {
	for _, m := range d.Find(text) {
		if found := text[m.Start:m.End]; !d.isMarker(found) {
			left = append(left, found)
		}
	}
	return left
}

// hides reports whether something is found in a text without its invisible characters.
func (d *Detector) hides(text string) bool {
	bare := visible.Text(text)
	return bare != text && len(d.left(bare)) > 0
}

// leftIn returns what is found in redacted content in the forms in which it is shown:
// there, several strings stand in one text, and files are left out. If it has changed
// or is not plain, it also looks into each message of a chat and into JSON in strings.
// The strings themselves have been searched.
func (d *Detector) leftIn(c event.Content, isOutput, changed bool) (left []string) {
	texts := []string{c.Text()}
	if isOutput {
		texts = append(texts, c.Answer().Text)
	}
	searched := map[string]bool{}
	if raw := string(c.Raw()); !changed && raw != "" && raw[0] == '"' {
		searched[raw[1:len(raw)-1]] = true // it holds no escapes
	}
	if changed {
		texts = append(texts, c.Plain(), c.Reply())
		turns, _ := c.Turns()
		for _, t := range turns {
			texts = append(texts, t.Role, t.Content)
		}
		for _, s := range stringsOf(string(c.Raw())) {
			searched[s] = true
			texts = appendStrings(texts, s, maxDepthOfReading-1)
		}
	}
	for _, text := range texts {
		if searched[text] {
			continue
		}
		searched[text] = true
		left = append(left, d.left(text)...)
		if bare := visible.Text(text); bare != text {
			left = append(left, d.left(bare)...)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// stringsOf returns the strings and keys of a JSON value.
func stringsOf(raw string) (out []string) {
	s := jsonscan.New(raw, 0)
	for t, ok := s.Next(); ok; t, ok = s.Next() {
		if t.Kind != jsonscan.Key && t.Kind != jsonscan.String {
			continue
		}
		if text, err := jsonscan.Unquote(raw[t.Start:t.End]); err == nil {
			out = append(out, text)
		}
	}
	return out
}

// appendStrings appends the strings and keys of a text that is JSON, and of JSON in
// them, to so many levels.
func appendStrings(texts []string, text string, levels int) []string {
	raw := strings.TrimSpace(text)
	if levels == 0 || !isEnclosed(raw) {
		return texts
	}
	for _, s := range stringsOf(raw) {
		texts = appendStrings(append(texts, s), s, levels-1)
	}
	return texts
}

// seam is how much of each end of a string, in bytes and on to the next space, is
// searched once more with the strings beside it. It is longer than what any kind looks
// at before and behind itself.
const seam = 256

// noteInner notes the middle of a string in which nothing was found: no other string
// is near it.
func (w *jsonWalk) noteInner(t jsonscan.Token) {
	if t.End-t.Start < 3*seam || t.Kind != jsonscan.String {
		return
	}
	first := strings.IndexByte(w.raw[t.Start+seam:t.End-seam], ' ')
	last := strings.LastIndexByte(w.raw[t.Start+seam:t.End-seam], ' ')
	if first < last {
		w.inner = append(w.inner, window{t.Start + seam + first, t.Start + seam + last})
	}
}

// longMiddles is from how many bytes of middles on it takes less time to read the
// content without them than to search it all.
const longMiddles = 8 << 10

// shortened returns content without the middles of its long strings, if they are long
// enough. A pattern of the configuration may look at any distance.
func (w *jsonWalk) shortened(c event.Content) event.Content {
	n := 0
	for _, inner := range w.inner {
		n += inner.end - inner.start
	}
	if n < longMiddles || len(w.find.patterns) > 0 {
		return c
	}
	out, at := make([]byte, 0, len(w.raw)-n), 0
	for _, inner := range w.inner {
		out = append(out, w.raw[at:inner.start]...)
		at = inner.end
	}
	return event.JSON(append(out, w.raw[at:]...))
}

// isPlain reports whether the strings of a JSON value hold no escapes, encodings and
// invisible characters, so that no reading of them differs.
func isPlain(raw string) bool {
	for _, c := range []byte("\\%&\x7f") {
		if strings.IndexByte(raw, c) >= 0 {
			return false
		}
	}
	return isASCII(raw) || usefulIn(raw) == 0
}

// shortestPart is the length from which the end of a string that begins one of the
// others, or its beginning that ends one, belongs to it.
const shortestPart = 3

// maxLeft bounds what is found where content is shown and nowhere else, in bytes. Each
// string is compared with all of it.
const maxLeft = 4096

// tooMuch reports whether more is left than strings are compared with.
func tooMuch(left []string) bool {
	n := 0
	for _, text := range left {
		n += len(text)
	}
	return n > maxLeft
}

// touches reports whether a text holds one of the others, or a part of one.
func touches(text string, others []string) bool {
	bare := strings.TrimSpace(text)
	if bare == "" {
		return false
	}
	for _, o := range others {
		if strings.Contains(text, o) || strings.Contains(o, bare) {
			return true
		}
		for n := shortestPart; n < min(len(o), len(text), seam); n++ {
			if strings.HasSuffix(text, o[:n]) || strings.HasPrefix(text, o[len(o)-n:]) {
				return true
			}
		}
	}
	return false
}
