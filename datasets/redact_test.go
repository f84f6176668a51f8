package datasets_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
)

func redactor(tb testing.TB, cfg datasets.RedactionConfig) *datasets.Redactor {
	tb.Helper()
	r, err := datasets.NewRedactor(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func mail(name string) string { return name + "@example.com" }

// TestRedactEvent: every place where content can be is redacted, nothing else
// changes, and the event itself stays as it was.
func TestRedactEvent(t *testing.T) {
	t.Parallel()
	m := mail("canary")
	e := eval.Event{
		RequestID: "r1", SessionID: "s-1", UserIDHash: strings.Repeat("ab", 20),
		Input:     eval.JSON(json.RawMessage(`[{"role":"user","content":"mail ` + m + `"}]`)),
		Output:    eval.JSON(json.RawMessage(`{"to":"` + m + `","n":[1,2.50,true,null,{}],"` + m + `":"key","html":"<b>"}`)),
		Expected:  eval.Text(m),
		Retrieval: &eval.Retrieval{Query: m, Chunks: []eval.Chunk{{ID: "c1", Text: "of " + m}}},
		ToolCalls: []eval.ToolCall{{Name: "send", Arguments: eval.Text(`{"to":"` + m + `"}`), Result: eval.Text(m)}},
		Tools:     eval.JSON(json.RawMessage(`[{"name":"send","description":"ask ` + m + `"}]`)),
		Comment:   "call " + m,
	}
	before, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := redactor(t, datasets.RedactionConfig{}).Event(&e)
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(string(before), m, "[EMAIL]"); string(after) != want {
		t.Errorf("redacted:\n%s\nwant:\n%s", after, want)
	}
	if again, err := json.Marshal(e); err != nil || string(again) != string(before) {
		t.Errorf("the event was changed: %s, %v", again, err)
	}
}

func TestRedactionConfig(t *testing.T) {
	t.Parallel()
	text := "mail " + mail("a") + " ticket AB-17 card 4" + strings.Repeat("1", 15)
	tests := map[string]struct {
		cfg  datasets.RedactionConfig
		want string
	}{
		"default":  {datasets.RedactionConfig{}, "mail [EMAIL] ticket AB-17 card [CREDIT_CARD]"},
		"disabled": {datasets.RedactionConfig{Disabled: true}, text},
		"kinds":    {datasets.RedactionConfig{Kinds: []string{"credit_card"}}, "mail " + mail("a") + " ticket AB-17 card [CREDIT_CARD]"},
		"keep":     {datasets.RedactionConfig{Keep: []string{"email"}}, "mail " + mail("a") + " ticket AB-17 card [CREDIT_CARD]"},
		"patterns": {datasets.RedactionConfig{Patterns: []datasets.Pattern{{Name: "ticket", Pattern: `AB-\d+`}}}, "mail [EMAIL] ticket [TICKET] card [CREDIT_CARD]"},
	}
	for name, tt := range tests {
		if got := redactor(t, tt.cfg).Text(text); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	bad := datasets.RedactionConfig{Kinds: []string{"e-mail"}, Keep: []string{"nonsense"}, Patterns: []datasets.Pattern{{Name: "x", Pattern: "("}}}
	if fs := bad.Validate(); len(fs) != 3 {
		t.Errorf("faults: %v", fs)
	}
	if _, err := datasets.NewRedactor(bad); err == nil {
		t.Error("a bad configuration makes a redactor")
	}
	if fs := (datasets.RedactionConfig{Keep: []string{"secret", "pii"}}).Validate(); len(fs) != 1 {
		t.Errorf("nothing left to take out: %v", fs)
	}
}

// FuzzRedact holds that a planted key never survives, that JSON stays JSON of
// the same shape, and that a bare number that is no card stays a number.
func FuzzRedact(f *testing.F) {
	r := redactor(f, datasets.RedactionConfig{})
	key := "sk-" + strings.Repeat("aB3dE5fG", 4)
	f.Add(`{"a":["KEY",1,{"KEY":null}]}`)
	f.Add(`"before KEY after \u00e9 \ud83d"`)
	f.Add(`[1e400, -0.0, 12345678901234567890]`)
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ReplaceAll(s, "KEY", " "+key+" ")
		e := eval.Event{Output: eval.JSON(json.RawMessage(s))}
		if e.Output.IsZero() {
			return
		}
		got, err := r.Event(&e)
		if err != nil {
			return // withheld
		}
		raw := got.Output.Raw()
		if !json.Valid(raw) {
			t.Fatalf("%q became %q", s, raw)
		}
		if strings.Contains(string(raw), key) {
			t.Fatalf("the key survives in %q", raw)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	r := redactor(b, datasets.RedactionConfig{})
	e := eval.Event{
		Input:  eval.Text(strings.Repeat("Where is my order? It left on Monday. ", 27)),
		Output: eval.JSON(json.RawMessage(`{"answer":"` + strings.Repeat("It arrives on Friday at noon. ", 33) + `"}`)),
	}
	for b.Loop() {
		if _, err := r.Event(&e); err != nil {
			b.Fatal(err)
		}
	}
}
