package validators

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/evalworker/evalworker/internal/base/visible"
)

// plain returns a text in the form in which words are compared: in Unicode's form
// NFKC, where é is one character and ﬁ two; with ASCII quotes and hyphens in place
// of typographic ones; and without characters that have no glyph, such as soft
// hyphens and byte order marks. Superscript digits keep their meaning: x² becomes
// x^2 and not x2.
func plain(text string) string {
	if isASCII(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	raised := false
	for _, r := range text {
		digit := superscript(r)
		switch {
		case digit >= 0:
			if !raised {
				b.WriteByte('^')
			}
			b.WriteByte(byte('0' + digit))
		case !visible.Is(r):
		case strings.ContainsRune("‘’‚‛′ʼ", r):
			b.WriteByte('\'')
		case strings.ContainsRune("“”„‟″", r):
			b.WriteByte('"')
		case r >= '\u2010' && r <= '\u2013' || r == '\u2212': // hyphens, en dash, minus
			b.WriteByte('-')
		default:
			b.WriteRune(r)
		}
		raised = digit >= 0
	}
	return norm.NFKC.String(b.String())
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// superscript returns the value of a superscript digit; -1 for any other character.
func superscript(r rune) int {
	switch r {
	case '¹':
		return 1
	case '²', '³':
		return int(r-'²') + 2
	case '⁰', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹':
		return int(r - '⁰')
	}
	return -1
}
