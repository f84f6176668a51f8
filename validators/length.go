package validators

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/evalworker/evalworker/eval"
)

// buildLength builds a validator of the output's length in characters (Unicode
// code points) and in words (runs of anything but white space).
func buildLength(b *builder) answer {
	c := b.Config
	if c.MinChars == nil && c.MaxChars == nil && c.MinWords == nil && c.MaxWords == nil {
		b.faults.Add("", "length has no bound", "set at least one of min_chars, max_chars, min_words, max_words")
	}
	check := func(minPath string, least *int, maxPath string, most *int) {
		if least != nil && *least < 0 {
			b.faults.Add(minPath, "is negative", "want 0 or more")
		}
		if most != nil && *most < 0 {
			b.faults.Add(maxPath, "is negative", "want 0 or more")
		}
		if least != nil && most != nil && *least > *most {
			b.faults.Add(maxPath, "is below "+minPath, "want at least "+strconv.Itoa(*least))
		}
	}
	check("min_chars", c.MinChars, "max_chars", c.MaxChars)
	check("min_words", c.MinWords, "max_words", c.MaxWords)
	return onText(func(text string) eval.Verdict {
		chars := utf8.RuneCountInString(text)
		words := 0
		for range strings.FieldsSeq(text) {
			words++
		}
		switch {
		case c.MinChars != nil && chars < *c.MinChars:
			return fail("too_short", "below min_chars")
		case c.MinWords != nil && words < *c.MinWords:
			return fail("too_short", "below min_words")
		case c.MaxChars != nil && chars > *c.MaxChars:
			return fail("too_long", "above max_chars")
		case c.MaxWords != nil && words > *c.MaxWords:
			return fail("too_long", "above max_words")
		}
		return pass("within")
	})
}
