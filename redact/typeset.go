package redact

import (
	"strings"
	"unicode/utf8"
)

// typeset reports whether the text may hold what [inASCII] replaces: it has a
// byte with which such a character begins.
func (s *scan) typeset() bool {
	s.look()
	return s.seen[0xc2] || s.seen[0xe2] || s.seen[0xe3] || s.seen[0xef]
}

// inASCII gives a text with one byte of ASCII for each space, dash and digit that
// models, word processors and East Asian keyboards write in its place: a card's
// number is one with no-break spaces, too. Where there are none it is the text
// itself, else it is shorter.
func inASCII(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		c, n := standIn(text, i)
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

// back moves places in what [inASCII] gave for a text, which are in order and
// apart, to where they are in the text.
func back(text string, found []Match) []Match {
	i, at := 0, 0 // one place in the text and in what inASCII gave
	move := func(to int) int {
		for at < to {
			c, n := standIn(text, i)
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

// standIn gives the ASCII character for the one at i, 0 when that stays, and how
// many bytes it has in the text.
func standIn(text string, i int) (c byte, size int) {
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
		// Elsewhere a dash sets a number apart from words: "call ...—or write".
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+size:])
		if anyDigit(before) && anyDigit(after) {
			return '-', size
		}
	}
	return 0, size
}

func anyDigit(r rune) bool { return r >= '0' && r <= '9' || r >= '\uff10' && r <= '\uff19' }
