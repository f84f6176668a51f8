// Package visible tells the characters that a reader sees from those that only hide,
// split or reorder text.
//
// A model reads the invisible ones and a person does not, so that they can carry
// instructions, or cut a card number in two that then looks whole. Code that shows a
// text to a model drops them ([Text]); code that looks for something in a text reads
// it as it is shown.
package visible

import "strings"

// Text returns s without invisible characters. Bytes that are not UTF-8 become
// U+FFFD.
func Text(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if Is(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// isPlain reports whether a text is of ASCII that a reader sees, as most are.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c-' ' > '~'-' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// Is reports whether a reader sees a character, or the space or line break that it
// makes. Controls, direction marks, joiners, fillers, variation selectors and tags
// are invisible.
func Is(r rune) bool {
	switch {
	case r >= ' ' && r < 0x7f, r == '\t', r == '\n', r == '\r':
		return true
	case r < ' ', r >= 0x7f && r < 0xa0: // controls
	case r == 0x00ad, r == 0x034f, r == 0x061c, r == 0x17b4, r == 0x17b5, r >= 0x180b && r <= 0x180f:
	case r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r == 0x2800: // fillers of Hangul, the empty braille cell
	case r >= 0x200b && r <= 0x200f: // zero width, direction marks
	case r >= 0x2028 && r <= 0x202e: // separators of lines and paragraphs, bidi embeddings and overrides
		return r <= 0x2029
	case r >= 0x2060 && r <= 0x206f: // word joiner, invisible operators, bidi isolates
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef: // variation selectors
	case r == 0xfeff, r >= 0xfff0 && r <= 0xfffb: // byte order mark, annotations
	case r >= 0x1bca0 && r <= 0x1bca3, r >= 0x1d173 && r <= 0x1d17a: // controls of shorthand and of music
	case r >= 0xe0000 && r <= 0xe0fff: // tags: a whole invisible alphabet
	default:
		return true
	}
	return false
}
