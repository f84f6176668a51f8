package judges

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// roleMarkers are the tokens with which chat templates separate roles. On a server
// that does not escape them, content could pose as another message.
var roleMarkers = regexp.MustCompile(`(?i)<[|｜][^<>|｜\s]{1,64}[|｜]>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>`)

// neutralise makes text harmless as part of a prompt: it drops characters that are
// invisible to a person but not to a model, and breaks role markers with a space
// after their first character.
func neutralise(s string) string {
	if !strings.ContainsFunc(s, suspicious) { // plain text costs one pass
		return s
	}
	s = strings.Map(dropInvisible, strings.ToValidUTF8(s, "\uFFFD"))
	return roleMarkers.ReplaceAllStringFunc(s, func(m string) string {
		_, n := utf8.DecodeRuneInString(m)
		return m[:n] + " " + m[n:]
	})
}

// suspicious reports whether a character is invisible, broken, or could begin a role
// marker.
func suspicious(r rune) bool {
	return r == '<' || r == '[' || r == utf8.RuneError || dropInvisible(r) < 0
}

// dropInvisible returns -1, which strings.Map drops, for a character that hides or
// reorders text, and the character itself otherwise.
func dropInvisible(r rune) rune {
	switch {
	case r >= ' ' && r < 0x7f, r == '\t', r == '\n', r == '\r':
		return r
	case r < ' ', r >= 0x7f && r < 0xa0: // controls
	case r == 0x00ad, r == 0x034f, r == 0x061c, r == 0x17b4, r == 0x17b5, r == 0x180e:
	case r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r == 0x2800: // fillers of Hangul, the empty braille cell
	case r >= 0x200b && r <= 0x200f: // zero width, direction marks
	case r >= 0x202a && r <= 0x202e: // bidi embeddings and overrides
	case r >= 0x2060 && r <= 0x206f: // word joiner, invisible operators, bidi isolates
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef: // variation selectors
	case r == 0xfeff, r >= 0xfff9 && r <= 0xfffb: // byte order mark, annotations
	case r >= 0xe0000 && r <= 0xe007f: // tags: a whole invisible alphabet
	default:
		return r
	}
	return -1
}
