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
	text    string
	seen    [256]bool // bytes that occur in the text; of capital letters, the small ones too
	digits  int       // digits of the text
	special bool      // a reading may differ from the text
	words   []int32   // where words, characters beyond ASCII, brackets and plus signs begin
	lower   string    // text with ASCII capitals as small letters; empty until needed
	out     []window
}

func newHaystack(text string) haystack {
	h := haystack{text: text, words: make([]int32, 0, len(text)/5+8)}
	word := false // the character before is a part of a word
	for i := range len(text) {
		c := text[i]
		h.seen[c] = true
		t := traits[c]
		if t&beginsWord != 0 && (!word || t&partOfWord == 0) {
			h.words = append(h.words, int32(i)) //nolint:gosec // a text has at most 16 MiB
		}
		word = t&partOfWord != 0
		if t&specialTrait != 0 {
			h.special = true
		} else if isDigit(c) {
			h.digits++
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		h.seen[c|0x20] = h.seen[c|0x20] || h.seen[c]
	}
	return h
}

// Traits of bytes.
const (
	partOfWord uint8 = 1 << iota
	beginsWord
	specialTrait
)

var traits = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		switch {
		case isWordByte(c):
			t[i] = partOfWord | beginsWord
		case c >= utf8.RuneSelf, c == '(', c == '+':
			t[i] = beginsWord
		}
		if special[c] {
			t[i] |= specialTrait
		}
	}
	return t
}()

// windows returns the parts of the text in which the finder may match, in order and
// without overlap. The result is valid until the next call.
func (h *haystack) windows(f *finder) []window {
	h.out = h.out[:0]
	if len(f.anchors) > 0 {
		h.aroundAnchors(f.anchors, f.before, f.reach, f.fold)
	} else {
		h.amongDigits(f)
	}
	h.out = joinWindows(h.out)
	return h.out
}

// aroundAnchors appends the words that hold an anchor, each with as much of the text
// before and behind it as the finder may need, in whole words.
func (h *haystack) aroundAnchors(anchors []string, before, reach int, fold bool) {
	text := h.text
	if fold {
		text = h.folded()
	}
anchors:
	for _, a := range anchors {
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
			w := window{strings.LastIndexAny(text[:max(0, i-before)], wordSpace) + 1, len(text)}
			if needed := i + len(a) + reach; reach > 0 && needed < len(text) {
				if n := strings.IndexAny(text[needed:], wordSpace); n >= 0 {
					w.end = needed + n
				}
			}
			h.out = append(h.out, w)
			if w.end == len(text) {
				break
			}
			// Only the last anchors inside the window can extend it.
			at = max(i+len(a), w.end-reach-len(a))
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
