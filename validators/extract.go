package validators

import "strings"

// extract finds JSON in what a model said. Its work is linear in the length of
// the text: each opening bracket may be the start of a value, but all scans
// together read at most maxRescan times the text.

const (
	maxRescan = 8
	slack     = 4 << 10 // so that a short text is always searched to its end
)

// finding is JSON, or an attempt at it, inside a text.
type finding struct {
	scanned
	fenced bool // it stands at the start of a code fence
}

// serious reports whether something that is no JSON was meant to be: a key has
// been read, or it opens a code fence or the text and is no mere [Note].
func (f finding) serious(text string) bool {
	if f.fenced || f.members > 0 {
		return true
	}
	return trimJSON(text[:f.start]) == "" && (text[f.start] == '{' || f.values > 2)
}

// whole scans a text that should be one JSON value and nothing else.
func whole(text string) (scanned, bool) {
	text = trimJSON(text)
	s := scan(text, 0)
	return s, s.flaw == flawNone && trimJSON(text[s.end:]) == ""
}

// embedded calls yield for each object and array that stands in text, from left
// to right and never inside one another, until yield returns false. It returns
// the first serious attempt that is no JSON; its flaw is flawNone when there is
// none. After such an attempt only what stands in a code fence is yielded, since
// anything else may be a part of the attempt.
func embedded(text string, yield func(finding) bool) (attempt finding) {
	work := maxRescan*len(text) + slack
	for i := 0; work > 0; {
		n := strings.IndexAny(text[i:], "{[")
		if n < 0 {
			break
		}
		i += n
		f := finding{scanned: scan(text, i), fenced: fenced(text[:i])}
		work -= f.end - i + n + 1
		switch {
		case f.flaw != flawNone:
			if attempt.flaw == flawNone && f.serious(text) {
				attempt = f
			}
			i++
			continue
		case attempt.flaw != flawNone && !f.fenced:
		case !yield(f):
			return attempt
		}
		i = f.end
	}
	return attempt
}

// fenced reports whether the line that before ends with opens a code fence, or
// the line above does.
func fenced(before string) bool {
	before = strings.TrimRight(before[max(0, len(before)-64):], " \t\r\n")
	line := strings.TrimLeft(before[strings.LastIndexByte(before, '\n')+1:], " \t")
	return strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~")
}
