package judges

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/base/visible"
)

// neutralise makes text harmless as part of a prompt: it drops characters that a
// model sees and a person does not, and breaks control tokens by a space after their
// first character.
func neutralise(s string) string {
	if !strings.ContainsFunc(s, suspicious) { // plain text needs one pass only
		return s
	}
	s = visible.Text(s)
	return roleMarkers.ReplaceAllStringFunc(s, func(m string) string {
		_, n := utf8.DecodeRuneInString(m)
		return m[:n] + " " + m[n:]
	})
}

// suspicious reports whether a character is invisible, broken, or could begin a control
// token.
func suspicious(r rune) bool {
	return r == '<' || r == '[' || r == ']' || r == '◁' || r == utf8.RuneError || !visible.Is(r)
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
