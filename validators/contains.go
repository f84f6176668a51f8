package validators

import (
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/eval"
)

// buildContains builds a validator that looks for literal phrases, ignoring case
// unless case_sensitive is set. Output and phrases are compared in the form that
// [plain] returns, so that can’t contains can't. A reason names the place of the
// phrase in the configuration, such as all[1], and not the phrase.
func buildContains(b *builder) answer {
	if len(b.Any)+len(b.All)+len(b.None) == 0 {
		b.faults.Add("", "contains looks for nothing", "set at least one of any, all, none")
	}
	b.checkPhrases("any", b.Any)
	b.checkPhrases("all", b.All)
	b.checkPhrases("none", b.None)
	fold := func(s string) string { return strings.ToLower(plain(s)) }
	if b.CaseSensitive {
		fold = plain
	}
	folded := func(phrases []string) []string {
		out := make([]string, len(phrases))
		for i, p := range phrases {
			out[i] = fold(p)
		}
		return out
	}
	some, all, none := folded(b.Any), folded(b.All), folded(b.None)
	return onText(func(text string) eval.Verdict {
		text = fold(text)
		for i, p := range none {
			if strings.Contains(text, p) {
				return fail("forbidden", "none["+strconv.Itoa(i)+"] present")
			}
		}
		for i, p := range all {
			if !strings.Contains(text, p) {
				return fail("missing", "all["+strconv.Itoa(i)+"] absent")
			}
		}
		found := len(some) == 0
		for _, p := range some {
			found = found || strings.Contains(text, p)
		}
		if !found {
			return fail("missing", "any absent")
		}
		return pass("contains")
	})
}
