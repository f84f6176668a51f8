package sampler

import (
	"testing"
	"unicode/utf8"

	"github.com/evalworker/evalworker/event"
)

// FuzzCondition: a condition that compiles cannot fail, is deterministic, and
// depends only on the fields in its set. One that does not compile has a fault that
// says where and how to fix it.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		`user_rating == "down" || status == "error"`,
		`feature in ["search", "chat"] and not (model matches "^gpt-[0-9]+$")`,
		`lower(prompt_name) contains "a" ? len(status) >= 3 : "x" < provider`,
		`trim(tenant_tier) startsWith upper(environment)`,
		`hasSuffix(output_schema, "v2") != (finish_reason endsWith "stop")`,
		`prompt_version | trim() | len() > 3`,
		`any(1..3, # > 2)`, `status[0]`, `let x = 1; x == 1`, `status matches "("`, `1 < len(feature) < 3`, "\"a\\\nb\" == feature",
		`status not in ["a"] == true`, `$env`, `feature?.x ?? nil`, `if status == "a" { true } else { false }`,
	} {
		f.Add(text, "search", "gpt-4", "")
	}
	f.Fuzz(func(t *testing.T, text, a, b, c string) {
		cond, faults := compileCondition(text)
		for _, fault := range faults {
			if fault.Problem == "" || fault.Expected == "" || fault.Line < 0 || fault.Column < 0 {
				t.Errorf("fault %#v", fault)
			}
			if fault.Line == 1 && fault.Column > utf8.RuneCountInString(text)+1 {
				t.Errorf("fault %#v lies behind the text %q", fault, text)
			}
		}
		if len(faults) > 0 {
			return
		}
		values := []string{a, b, c, a + b, b + c, ""}
		var d event.Dims
		for i := range d {
			d[i] = values[i%len(values)]
		}
		m := newMachine()
		m.load(&d)
		want, err := cond.match(m)
		if err != nil {
			t.Fatalf("%q fails: %v", text, err)
		}
		for i := range d {
			if !cond.fields().has(event.Dim(i)) {
				d[i] += "?"
			}
		}
		m = newMachine()
		m.load(&d)
		got, err := cond.match(m)
		if err != nil || got != want {
			t.Errorf("%q is %t, and %t (%v) when fields change that it does not read", text, want, got, err)
		}
	})
}
