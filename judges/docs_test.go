package judges

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRubricsPage: the page names every key of a rubric's file, shows each built-in
// rubric as it is, and the rubric that it writes step by step is one.
func TestRubricsPage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/rubrics.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	var keys []string
	for _, of := range []reflect.Type{reflect.TypeFor[Rubric](), reflect.TypeFor[Criterion](), reflect.TypeFor[Evidence]()} {
		for field := range of.Fields() {
			keys = append(keys, field.Tag.Get("yaml"))
		}
	}
	for _, word := range slices.Concat(keys, inputs(), []string{aggregateAll, aggregateWeighted, aggregateAny, sourceAny}) {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("the page does not name `%s`", word)
		}
	}
	if table := libraryTable(); !strings.Contains(page, table) {
		t.Errorf("the page lacks the table of built-in rubrics:\n%s", table)
	}
	examples := regexp.MustCompile("(?s)```yaml rubrics/([a-z_]+)\\.yaml\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(examples) == 0 {
		t.Error("the page has no example of a rubric")
	}
	for _, m := range examples {
		if _, faults := parseRubric(m[1]+".yaml", m[1], []byte(m[2])); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// libraryTable returns the built-in rubrics as the page shows them.
func libraryTable() string {
	var b strings.Builder
	b.WriteString("| rubric | needs | shown when there | criteria | passes when |\n| --- | --- | --- | --- | --- |\n")
	all := BuiltIn()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r := all[name]
		needs := quoted(r.Needs, ", ")
		if len(r.NeedsOneOf) > 0 {
			needs += "; one of " + quoted(r.NeedsOneOf, ", ")
		}
		criteria := make([]string, len(r.Criteria))
		for i, c := range r.Criteria {
			criteria[i] = "`" + c.ID + "`"
			if c.Weight != nil {
				criteria[i] += fmt.Sprintf(" (weight %v)", *c.Weight)
			}
			if c.Veto {
				criteria[i] += " (veto)"
			}
		}
		passes := "all pass"
		if r.Aggregation == aggregateWeighted {
			passes = fmt.Sprintf("%v of the weight passes", r.Threshold)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, needs, quoted(r.Optional, ", "), strings.Join(criteria, ", "), passes)
	}
	return b.String()
}

func quoted(words []string, separator string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "`" + w + "`"
	}
	return strings.Join(out, separator)
}
