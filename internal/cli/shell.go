package cli

import (
	"strings"
	"unicode"
)

// Quote returns s as one word of a shell.
func Quote(s string) string {
	if isWord(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// isWord reports whether a text is a word of every shell without quotes, and no flag.
func isWord(s string) bool {
	return s != "" && s[0] != '-' && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_./:@=+,-", r)
	}) < 0
}
