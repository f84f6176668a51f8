package validators

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func checkRegex(c Config) fault.List {
	var faults fault.List
	if c.Pattern == "" {
		faults.Add("pattern", "missing", "want a regular expression (RE2)")
		return faults
	}
	if len(c.Pattern) > maxPattern {
		faults.Add("pattern", fmt.Sprintf("%d bytes are too many", len(c.Pattern)), fmt.Sprintf("want at most %d", maxPattern))
		return faults
	}
	if _, err := regexp.Compile(c.Pattern); err != nil {
		faults.Add("pattern", regexProblem(err), regexExpected(c.Pattern))
	}
	return faults
}

// regexProblem gives the compiler's complaint without its prefix.
func regexProblem(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

func regexExpected(pattern string) string {
	for _, perl := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(pattern, perl) {
			return "RE2 has no look-around: it would not be linear; use negate, or a second validator"
		}
	}
	return "want RE2 syntax, https://github.com/google/re2/wiki/Syntax"
}

// buildRegex makes a validator that searches the output, in time linear in its
// length.
func buildRegex(c Config, _ *Schemas) (made, error) {
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return made{}, err
	}
	return made{answer: textual(func(text string) eval.Verdict {
		switch matched := re.MatchString(text); {
		case matched && c.Negate:
			return fail("match", "pattern matches")
		case !matched && !c.Negate:
			return fail("no_match", "pattern does not match")
		case matched:
			return pass("match")
		}
		return pass("no_match")
	})}, nil
}
