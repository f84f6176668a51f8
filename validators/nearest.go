package validators

import (
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// meant words the name that was probably meant by a misspelt one, or, when none
// is near, the names that there are.
func meant(word string, names []string) string {
	if n := fault.Nearest(word, names); n != "" {
		return "did you mean " + n + "?"
	}
	if len(names) == 0 {
		return "there are none"
	}
	return "want one of " + strings.Join(names, ", ")
}
