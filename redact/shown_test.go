package redact_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/visible"
	"github.com/evalworker/evalworker/redact"
)

// FuzzShown: in whatever is shown of redacted content, a detector of the same kinds
// finds nothing: not in its text, as it is and without invisible characters, not in a
// message of its chat, and not in a string or a key of it, or of JSON in its strings.
func FuzzShown(f *testing.F) {
	for _, seed := range []string{
		`"mail ana@example.com, card 4111 1111 1111 1111, password: hunter22x"`,
		`[{"role":"user","content":"The password is:"},{"role":"assistant","content":[{"type":"text","text":"call me at"},{"type":"text","text":"4155550132"}]}]`,
		`{"phone":4155550132,"ssn":"123456789","a":"{\"password\":\"\\\"x\\\"\"}"}`,
		`"\"alice\\u0040example.com\" +49 30\u200b901820 DE89-3704-0044-0532-0130-00 &#64;%40\uff20"`,
		`"ghp_ sk-ant- AKIA://u:p@h -----BEGIN PRIVATE KEY-----\nMIIE Bearer token=="`,
		`["x@y.com415-555-0132","passport: C01X00T47","\\u003ca\\n@","2001:db8::8a2e:370:7334 ::ffff:203.0.113.9"]`,
	} {
		f.Add(seed)
	}
	r := redactor(f, redact.Config{})
	d, err := redact.NewDetector(nil)
	if err != nil {
		f.Fatal(err)
	}
	markers := map[string]bool{"[REDACTED]": true, "[ROLE]": true}
	for _, k := range redact.Kinds() {
		markers["["+strings.ToUpper(k.Name)+"]"] = true
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := event.Event{Output: event.JSON(json.RawMessage(s))}
		if e.Output.IsZero() {
			e.Output = event.Text(s)
		}
		shown, err := r.Event(&e)
		if err != nil {
			return // withheld
		}
		check := func(what, text string) {
			for _, m := range d.Find(text) {
				if found := text[m.Start:m.End]; !markers[found] {
					t.Fatalf("%s of %q: %s %q in %q", what, s, m.Kind, found, text)
				}
			}
		}
		check("text", shown.Output.Text())
		check("visible text", visible.Text(shown.Output.Text()))
		check("answer", shown.Answer().Text)
		turns, _ := shown.Output.Turns()
		for _, turn := range turns {
			check("turn", turn.Content)
			check("role", turn.Role)
		}
		checkStrings(check, shown.Output.Raw(), 4)
	})
}

// checkStrings checks each string and key of a JSON value, and of JSON in strings.
func checkStrings(check func(what, text string), raw []byte, levels int) {
	var value any
	if levels == 0 || json.Unmarshal(raw, &value) != nil {
		return
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			check("string", v)
			checkStrings(check, []byte(v), levels-1)
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for key, member := range v {
				check("key", key)
				walk(member)
			}
		}
	}
	walk(value)
}
