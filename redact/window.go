package redact

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// wordSpace is the white space that separates words.
const wordSpace = " \n\t\r"

// window is a part of a text in which an expression is tried.
type window struct{ start, end int }

// haystack is one text, with facts about it that several finders need.
type haystack struct {
	text   string
	seen   [256]bool // bytes that occur in the text; of capital letters, the small ones too
	digits int       // digits of the text
	lower  string    // text with ASCII capitals as small letters; empty until needed
	out    []window
}

func newHaystack(text string) haystack {
	h := haystack{text: text}
	for i := range len(text) {
		c := text[i]
		h.seen[c] = true
		if isDigit(c) {
			h.digits++
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		h.seen[c|0x20] = h.seen[c|0x20] || h.seen[c]
	}
	return h
}

// windows returns the parts of the text in which the finder may match, in order and
// without overlap. The result is valid until the next call.
func (h *haystack) windows(f *finder) []window {
	h.out = h.out[:0]
	if len(f.anchors) > 0 {
		h.aroundAnchors(f)
	} else {
		h.amongDigits(f)
	}
	h.out = joinWindows(h.out)
	return h.out
}

// aroundAnchors appends the words that hold an anchor, each with as much of the
// following text as the finder may need, up to the end of a word.
func (h *haystack) aroundAnchors(f *finder) {
	text := h.text
	if f.fold {
		text = h.folded()
	}
anchors:
	for _, a := range f.anchors {
		for i := range len(a) {
			if !h.seen[a[i]] {
				continue anchors
			}
		}
		for at := 0; ; {
			i := strings.Index(text[at:], a)
			if i < 0 {
				break
			}
			i += at
			w := window{strings.LastIndexAny(text[:i], wordSpace) + 1, len(text)}
			if needed := i + len(a) + f.reach; f.reach > 0 && needed < len(text) {
				if n := strings.IndexAny(text[needed:], wordSpace); n >= 0 {
					w.end = needed + n
				}
			}
			h.out = append(h.out, w)
			if w.end == len(text) {
				break
			}
			// Only the last anchors inside the window can extend it.
			at = max(i+len(a), w.end-f.reach-len(a))
		}
	}
}

// joinWindows sorts windows and joins those that touch.
func joinWindows(ws []window) []window {
	if len(ws) < 2 {
		return ws
	}
	slices.SortFunc(ws, func(a, b window) int { return cmp.Compare(a.start, b.start) })
	out := ws[:1]
	for _, w := range ws[1:] {
		if last := &out[len(out)-1]; w.start <= last.end {
			last.end = max(last.end, w.end)
			continue
		}
		out = append(out, w)
	}
	return out
}

// amongDigits appends the runs of digits and allowed characters that have enough
// digits, with a little before and after them, so that the expression sees their
// surroundings.
func (h *haystack) amongDigits(f *finder) {
	if h.digits < f.digits {
		return
	}
	const digit, between, mark = 1, 2, 4
	var is [256]uint8
	for c := '0'; c <= '9'; c++ {
		is[c] = digit
	}
	for i := range len(f.between) {
		is[f.between[i]] |= between
	}
	for i := range len(f.marks) {
		is[f.marks[i]] |= mark
	}
	for i := 0; i < len(h.text); i++ {
		if is[h.text[i]] == 0 || h.text[i] == ' ' {
			continue
		}
		start, end, digits, marks, pending := i, i, 0, 0, 0
		for ; i < len(h.text) && is[h.text[i]] != 0; i++ {
			kind := is[h.text[i]]
			if kind&mark != 0 {
				pending++ // counts once something other than a space follows
			}
			if h.text[i] != ' ' {
				marks, pending, end = marks+pending, 0, i+1
			}
			if kind&digit != 0 {
				digits++
			}
		}
		if digits < f.digits || marks < f.least {
			continue
		}
		start, end = max(start-2, 0), min(end+1, len(h.text))
		for start > 0 && !utf8.RuneStart(h.text[start]) {
			start--
		}
		for end < len(h.text) && !utf8.RuneStart(h.text[end]) {
			end++
		}
		h.out = append(h.out, window{start, end})
	}
}

// folded returns the text with ASCII capitals as small letters, at the same offsets.
func (h *haystack) folded() string {
	if h.lower != "" || h.text == "" {
		return h.lower
	}
	b := []byte(h.text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	h.lower = string(b)
	return h.lower
}

// toASCII replaces the Unicode spaces, dashes and digits that models, word
// processors and East Asian keyboards write by one byte of ASCII each, so that a
// card number with no-break spaces is found too. A text without any is returned
// unchanged; any other becomes shorter.
func toASCII(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		c, n := asciiFor(text, i)
		if c != 0 {
			b.WriteString(text[done:i])
			b.WriteByte(c)
			done = i + n
		}
		i += n
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

// toOriginal maps matches in the result of [toASCII], which are in order and
// without overlap, to their places in the original text.
func toOriginal(text string, found []Match) []Match {
	i, at := 0, 0 // the same place in the text and in the result of toASCII
	move := func(to int) int {
		for at < to {
			c, n := asciiFor(text, i)
			i += n
			if c != 0 {
				n = 1
			}
			at += n
		}
		return i
	}
	for k := range found {
		found[k].Start = move(found[k].Start)
		found[k].End = move(found[k].End)
	}
	return found
}

// asciiFor returns the ASCII character that replaces the one at i, 0 if none does,
// and how many bytes the original has.
func asciiFor(text string, i int) (c byte, size int) {
	if text[i] < utf8.RuneSelf {
		return 0, 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	switch {
	case r == '\u00a0', r >= '\u2000' && r <= '\u200a', r == '\u202f', r == '\u3000':
		return ' ', size
	case r >= '\uff10' && r <= '\uff19':
		return '0' + byte(r-'\uff10'), size
	case r == '\uff20':
		return '@', size
	case r >= '\u2010' && r <= '\u2015', r == '\u2212', r == '\uff0d':
		// Only between digits: elsewhere a dash separates a number from words
		// ("call ...—or write").
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+size:])
		if anyDigit(before) && anyDigit(after) {
			return '-', size
		}
	}
	return 0, size
}

func anyDigit(r rune) bool { return r >= '0' && r <= '9' || r >= '\uff10' && r <= '\uff19' }
