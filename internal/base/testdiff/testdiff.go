// Package testdiff shows how two values of a test differ. It takes the place of a library,
// because what the tests of a module import stands in the module graph of each application
// that imports it.
package testdiff

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Of returns "" when two values are deeply equal, else the lines in which their JSON
// differs, - from want and + from got, or both values as Go prints them when their JSON is
// the same.
func Of(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	w, g := lines(want), lines(got)
	var out strings.Builder
	for i := range max(len(w), len(g)) {
		a, b := at(w, i), at(g, i)
		if a != b {
			fmt.Fprintf(&out, "-%s\n+%s\n", a, b)
		}
	}
	if out.Len() == 0 {
		fmt.Fprintf(&out, "-%#v\n+%#v\n", want, got)
	}
	return out.String()
}

func lines(v any) []string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return []string{fmt.Sprintf("%#v", v)}
	}
	return strings.Split(string(text), "\n")
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
