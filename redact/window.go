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
	anchors []int32   // where anchors that are found in any case may begin
	lower   string    // text with ASCII capitals as small letters; empty until needed
	out     []window
}

// newHaystack reads a text once. With stop it ends as soon as the text turns out to be
// special.
func newHaystack(text string, of *anchorTable, stop bool) haystack {
	h := haystack{text: text}
	words := make([]int32, 0, len(text)/5+8)
	digits := 0
	before := uint8(0) // traits of the character before
	last := uint32(0)
	for i := range len(text) {
		c := text[i]
		t := traits[c]
		h.seen[c] = true
		if t&beginsWord != 0 && before&t&partOfWord == 0 {
			words = append(words, int32(i)) //nolint:gosec // a text has at most 16 MiB
		}
		if t&(specialTrait|digitTrait) != 0 {
			if t&digitTrait != 0 {
				digits++
			} else if h.special = true; stop {
				return h
			}
		}
		before = t
		last = last<<8 | uint32(c|0x20)
		if of[anchorHash(last)] && i >= 2 {
			h.anchors = append(h.anchors, int32(i-2)) //nolint:gosec // as above
		}
	}
	h.words, h.digits = words, digits
	for c := 'A'; c <= 'Z'; c++ {
		h.seen[c|0x20] = h.seen[c|0x20] || h.seen[c]
	}
	return h
}

// anchorTable tells, by a hash, the first three bytes of the anchors that are found in
// any case.
type anchorTable [1 << 12]bool

// anchorHash returns the place of three bytes, with capitals as small letters.
func anchorHash(three uint32) uint32 {
	three &= 1<<24 - 1
	return (three ^ three>>5 ^ three>>11) & (1<<12 - 1)
}

func (t *anchorTable) add(anchors ...string) {
	for _, a := range anchors {
		t[anchorHash(uint32(a[0]|0x20)<<16|uint32(a[1]|0x20)<<8|uint32(a[2]|0x20))] = true
	}
}

// Traits of bytes.
const (
	partOfWord uint8 = 1 << iota
	beginsWord
	specialTrait
	digitTrait
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
		if isDigit(c) {
			t[i] |= digitTrait
		}
	}
	return t
}()

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

// aroundAnchors appends the words that hold an anchor, each with as much of the text
// before and behind it as the finder may need, in whole words.
func (h *haystack) aroundAnchors(f *finder) {
	if f.fold {
		h.aroundFolded(f.anchors, f.before, f.reach)
		return
	}
anchors:
	for _, a := range f.anchors {
		for i := range len(a) {
			if !h.seen[a[i]] {
				continue anchors
			}
		}
		for at := 0; ; {
			i := strings.Index(h.text[at:], a)
			if i < 0 {
				break
			}
			i += at
			w := h.around(i, len(a), f.before, f.reach)
			if w.end == len(h.text) {
				break
			}
			// Only the last anchors inside the window can extend it.
			at = max(i+len(a), w.end-f.reach-len(a))
		}
	}
}

// aroundFolded is aroundAnchors for anchors in any case.
func (h *haystack) aroundFolded(anchors []string, before, reach int) {
	for _, at := range h.anchors {
		for _, a := range anchors {
			if i := int(at); i+len(a) <= len(h.text) && equalFold(h.text[i:i+len(a)], a) {
				if n := len(h.out); n > 0 && i+len(a)+reach <= h.out[n-1].end {
					continue // inside the window before
				}
				h.around(i, len(a), before, reach)
			}
		}
	}
}

// equalFold compares ASCII texts of the same length.
func equalFold(s, t string) bool {
	for i := range len(s) {
		if s[i]|0x20 != t[i]|0x20 {
			return false
		}
	}
	return true
}

// around appends the window of an anchor.
func (h *haystack) around(i, length, before, reach int) window {
	w := window{strings.LastIndexAny(h.text[:max(0, i-before)], wordSpace) + 1, len(h.text)}
	if needed := i + length + reach; reach > 0 && needed < len(h.text) {
		if n := strings.IndexAny(h.text[needed:], wordSpace); n >= 0 {
			w.end = needed + n
		}
	}
	h.out = append(h.out, w)
	return w
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
