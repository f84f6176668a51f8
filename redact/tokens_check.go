package redact

import "strings"

// isToken reports whether a token was generated. It is not a placeholder; and where words
// could stand in it, joined by dashes, it mixes letters and digits, or capitals and
// small letters.
func isToken(f format, token string) bool {
	s := f.payload(token)
	return !isPlaceholder(s) && !isOneKind(s) && (!f.mayBeWords() || mixes(s)) && (!f.mayBeCode() || !looksLikeWords(s))
}

// isOneKind reports whether a text consists of digits alone, or is the name of
// something, of letters with a capital now and then.
func isOneKind(s string) bool {
	if strings.ContainsAny(s, "0123456789") {
		return strings.Trim(s, "0123456789-_.=") == ""
	}
	return strings.ToUpper(s) != s && 4*turns(s) < len(s)
}

// mixes reports whether a text changes between digits, small letters and capitals as
// often as generated text does. Dashes and the like do not count.
func mixes(s string) bool {
	bare := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_.=/+", r) {
			return -1
		}
		return r
	}, s)
	return turns(bare) >= min(max(4, len(bare)/5), 8)
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
