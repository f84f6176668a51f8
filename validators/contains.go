package validators

import (
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func checkContains(c Config) fault.List {
	var faults fault.List
	if len(c.Any)+len(c.All)+len(c.None) == 0 {
		faults.Add("", "contains looks for nothing", "set at least one of any, all, none")
	}
	phrases(&faults, "any", c.Any)
	phrases(&faults, "all", c.All)
	phrases(&faults, "none", c.None)
	return faults
}

// buildContains makes a validator that looks for phrases as they stand, without
// regard to case unless case_sensitive is set. A reason names the place of the
// phrase in the configuration, all[1], and not the phrase.
func buildContains(c Config, _ *Schemas) (made, error) {
	fold := strings.ToLower
	if c.CaseSensitive {
		fold = func(s string) string { return s }
	}
	list := func(phrases []string) []string {
		out := make([]string, len(phrases))
		for i, p := range phrases {
			out[i] = fold(p)
		}
		return out
	}
	some, all, none := list(c.Any), list(c.All), list(c.None)
	return made{answer: textual(func(text string) eval.Verdict {
		text = fold(text)
		for i, p := range none {
			if strings.Contains(text, p) {
				return fail("forbidden", "none["+itoa(i)+"] present")
			}
		}
		for i, p := range all {
			if !strings.Contains(text, p) {
				return fail("missing", "all["+itoa(i)+"] absent")
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
	})}, nil
}
