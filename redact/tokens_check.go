package redact

import "strings"

// isToken reports whether what follows the prefix of a token was generated: it
// is no placeholder, and of several words one mixes letters and digits.
func isToken(prefix, s string) bool {
	return !isPlaceholder(s) && (!strings.ContainsAny(s, "-_.") && len(prefix) > 3 || mixes(s))
}

// mixes reports whether one of the words of a text, eight characters or longer, mixes
// letters and digits, or capitals and small letters in the way of generated text.
func mixes(s string) bool {
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '=' }) {
		if len(word) >= 8 && turns(word) >= 3 {
			return true
		}
	}
	return false
}

// turns counts how often a text changes between digits, small letters and capitals.
// A word with a capital at its start, and a word before a number, change once.
func turns(s string) (n int) {
	of := func(c byte) int {
		switch {
		case isDigit(c):
			return 1
		case c >= 'a' && c <= 'z':
			return 2
		case c >= 'A' && c <= 'Z':
			return 3
		}
		return 0
	}
	for i := 1; i < len(s); i++ {
		if of(s[i]) != of(s[i-1]) {
			n++
		}
	}
	return n
}

// distinct returns the number of different bytes of a text.
func distinct(s string) (n int) {
	var seen [256]bool
	for i := range len(s) {
		if !seen[s[i]] {
			seen[s[i]] = true
			n++
		}
	}
	return n
}

// placeholders are parts of what stands in documentation in place of a secret.
var placeholders = [...]string{
	"example", "your", "placeholder", "redacted", "changeme", "change_me", "change-me", "insert", "dummy", "sample", "xxxx", "****", "...", "<", ">", "{", "}",
}

// isPlaceholder reports whether a value stands for a secret that the reader has to
// put in, or is one that documentation made up.
func isPlaceholder(s string) bool {
	if strings.Trim(s, s[:min(len(s), 1)]) == "" { // one character, or none
		return true
	}
	lower := strings.ToLower(s)
	for _, p := range placeholders {
		if strings.Contains(lower, p) {
			return true
		}
	}
	return false
}
