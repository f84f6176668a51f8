package judges

import (
	"slices"
	"strings"
	"unicode"
)

// openers are the beginnings of answers that say nothing by themselves. Models
// have been seen to pass them.
var openers = []string{
	"thought process", "solution", "answer", "explanation",
	"lets solve this problem step by step", "let us solve this problem step by step",
}

// substantial reports whether an output says anything: it holds a letter or a
// digit, and more than the announcement of an answer.
func substantial(output string) bool {
	if !strings.ContainsFunc(output, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return false
	}
	if len(output) > 128 {
		return true
	}
	said := strings.Join(words(strings.ReplaceAll(strings.ReplaceAll(output, "'", ""), "’", "")), " ")
	return !slices.Contains(openers, said)
}
