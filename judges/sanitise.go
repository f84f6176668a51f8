package judges

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// neutralise makes text harmless as part of a prompt: it drops characters that a
// model sees and a person does not, and breaks control tokens by a space after their
// first character.
func neutralise(s string) string {
	if !strings.ContainsFunc(s, suspicious) { // plain text needs one pass only
		return s
	}
	s = strings.Map(dropInvisible, strings.ToValidUTF8(s, "\uFFFD"))
	return roleMarkers.ReplaceAllStringFunc(s, func(m string) string {
		_, n := utf8.DecodeRuneInString(m)
		return m[:n] + " " + m[n:]
	})
}

// suspicious reports whether a character is invisible, broken, or could begin a control
// token.
func suspicious(r rune) bool {
	return r == '<' || r == '[' || r == ']' || r == '◁' || r == utf8.RuneError || dropInvisible(r) < 0
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

// maxItems bounds the messages, chunks or calls in a prompt.
const maxItems = 256

// truncate shortens s to about limit characters. It keeps the head and the tail,
// and states in the middle how much is left out.
func truncate(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	n := utf8.RuneCountInString(s)
	if n <= limit {
		return s, false
	}
	head, tail := runeOffset(s, limit/2), runeOffset(s, n-(limit-limit/2))
	return fmt.Sprintf("%s [... %d characters left out ...] %s", s[:head], n-limit, s[tail:]), true
}

// runeOffset returns the byte offset at which character n begins.
func runeOffset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// truncateAll shortens the texts of one field to limit characters together: short
// texts stay whole, long ones share what is left.
func truncateAll(texts []*string, limit int) bool {
	share, truncated := fairShare(texts, limit), false
	for _, s := range texts {
		if short, ok := truncate(*s, share); ok {
			*s, truncated = short, true
		}
	}
	return truncated
}

// fairShare returns the largest length that each text may keep so that together
// they have at most limit characters.
func fairShare(texts []*string, limit int) int {
	lengths := make([]int, len(texts))
	for i, s := range texts {
		lengths[i] = utf8.RuneCountInString(*s)
	}
	slices.Sort(lengths)
	for i, n := range lengths {
		if share := limit / (len(lengths) - i); n > share {
			return share
		}
		limit -= n
	}
	return limit
}

// headAndTail keeps the first and the last of a list that is too long.
func headAndTail[T any](list []T) ([]T, bool) {
	if len(list) <= maxItems {
		return slices.Clone(list), false
	}
	return append(slices.Clone(list[:maxItems/2]), list[len(list)-maxItems/2:]...), true
}
