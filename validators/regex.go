package validators

import "github.com/evalworker/evalworker/eval"

// buildRegex builds a validator that searches the output, in time linear in its
// length.
func buildRegex(b *builder) answer {
	if b.Pattern == "" {
		b.faults.Add("pattern", "missing", "want a regular expression (RE2)")
	}
	re, negate := b.compilePattern("pattern", b.Pattern), b.Negate
	return onText(func(text string) eval.Verdict {
		switch matched := re.MatchString(text); {
		case matched && negate:
			return fail("match", "pattern matches")
		case !matched && !negate:
			return fail("no_match", "pattern does not match")
		case matched:
			return pass("match")
		}
		return pass("no_match")
	})
}
