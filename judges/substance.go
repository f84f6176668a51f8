package judges

import (
	"slices"
	"strings"
	"unicode"
)

// openers are beginnings of answers that say nothing by themselves, and that models
// have been seen to pass. A word that could itself be an answer is an opener only
// before a colon.
var (
	openers = []string{
		"thought process", "lets solve this problem step by step", "let us solve this problem step by step",
	}
	openersBeforeColon = []string{"solution", "answer", "explanation"}
)

// hasSubstance reports whether an output says anything: it has a letter or a digit,
// and more than the announcement of an answer.
func hasSubstance(output string) bool {
	if !strings.ContainsFunc(output, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return false
	}
	if len(output) > 128 {
		return true
	}
	said := strings.Join(words(strings.ReplaceAll(strings.ReplaceAll(output, "'", ""), "’", "")), " ")
	if slices.Contains(openersBeforeColon, said) {
		return !strings.HasSuffix(strings.TrimRight(output, "*_#` \n"), ":")
	}
	return !slices.Contains(openers, said)
}
