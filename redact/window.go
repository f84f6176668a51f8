package redact

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// window is a part of a text in which an expression is tried.
type window struct{ start, end int }

// scan gives windows of one text, and remembers what several patterns ask for.
type scan struct {
	text  string
	seen  [256]bool // bytes of the text, capital letters as small ones too
	count int       // of digits; seen and count hold once ready
	ready bool
	lower string // text with small letters in place of ASCII capitals; empty until asked for
	out   []window
}

// windows gives the parts of the text in which the pattern may match, in order
// and apart. They hold until the next call.
func (s *scan) windows(p *pattern) []window {
	s.out = s.out[:0]
	switch {
	case len(p.anchors) > 0:
		s.aroundAnchors(p)
	case p.digits > 0:
		s.amongDigits(p)
	}
	s.out = joined(s.out)
	return s.out
}

// look notes what bytes the text has.
func (s *scan) look() {
	if s.ready {
		return
	}
	s.ready = true
	for i := range len(s.text) {
		c := s.text[i]
		s.seen[c] = true
		if isDigit(c) {
			s.count++
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		s.seen[c|0x20] = s.seen[c|0x20] || s.seen[c]
	}
}

// aroundAnchors gives the words that hold an anchor, each with as much behind it
// as the pattern may need, up to the end of the word there.
func (s *scan) aroundAnchors(p *pattern) {
	s.look()
	text := s.text
	if p.fold {
		text = s.folded()
	}
	for _, a := range p.anchors {
		if !s.mayHold(a) {
			continue
		}
		for at := 0; ; {
			i := strings.Index(text[at:], a)
			if i < 0 {
				break
			}
			i += at
			w := window{wordStart(s.text, i), len(s.text)}
			if p.reach > 0 {
				w.end = wordEnd(s.text, i+len(a)+p.reach)
			}
			s.out = append(s.out, w)
			if w.end == len(text) {
				break
			}
			// Of the anchors inside the window, the last ones reach beyond it.
			at = max(i+len(a), w.end-p.reach-len(a))
		}
	}
}

// mayHold reports whether the text has all the bytes of an anchor.
func (s *scan) mayHold(anchor string) bool {
	for i := range len(anchor) {
		if !s.seen[anchor[i]] {
			return false
		}
	}
	return true
}

// joined sorts windows and joins those that touch.
func joined(ws []window) []window {
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

// amongDigits gives the runs of digits, and of what may stand between them, that
// have enough digits; with a little before and behind them, so that the
// expression sees what they stand beside.
func (s *scan) amongDigits(p *pattern) {
	if s.look(); s.count < p.digits {
		return
	}
	const digit, between, mark = 1, 2, 4
	var is [256]uint8
	for c := '0'; c <= '9'; c++ {
		is[c] = digit
	}
	for i := range len(p.between) {
		is[p.between[i]] |= between
	}
	for i := range len(p.marks) {
		is[p.marks[i]] |= mark
	}
	for i := 0; i < len(s.text); i++ {
		if is[s.text[i]] == 0 || s.text[i] == ' ' {
			continue
		}
		start, end, digits, marks, pending := i, i, 0, 0, 0
		for ; i < len(s.text) && is[s.text[i]] != 0; i++ {
			kind := is[s.text[i]]
			if kind&mark != 0 {
				pending++ // counts once something other than a space follows
			}
			if s.text[i] != ' ' {
				marks, pending, end = marks+pending, 0, i+1
			}
			if kind&digit != 0 {
				digits++
			}
		}
		if digits >= p.digits && marks >= p.least {
			s.out = append(s.out, window{runeStart(s.text, start-2), runeEnd(s.text, end+1)})
		}
	}
}

// folded gives the text with ASCII capitals as small letters, byte for byte.
func (s *scan) folded() string {
	if s.lower != "" || s.text == "" {
		return s.lower
	}
	b := []byte(s.text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	s.lower = string(b)
	return s.lower
}

// wordStart gives the start of the word around i, wordEnd its end. What stands
// between words is white space.
func wordStart(text string, i int) int {
	for i > 0 && !isSpace(text[i-1]) {
		i--
	}
	return i
}

func wordEnd(text string, i int) int {
	for i < len(text) && !isSpace(text[i]) {
		i++
	}
	return min(i, len(text))
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// runeStart moves i back, runeEnd forward, to the border of a character.
func runeStart(text string, i int) int {
	i = max(i, 0)
	for i > 0 && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}

func runeEnd(text string, i int) int {
	i = min(i, len(text))
	for i < len(text) && !utf8.RuneStart(text[i]) {
		i++
	}
	return i
}
