package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

func redactor(tb testing.TB, cfg redact.Config) *redact.Redactor {
	tb.Helper()
	r, err := redact.New(cfg)
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
	e := event.Event{
		RequestID: "r1", SessionID: "s-1", UserIDHash: strings.Repeat("ab", 20),
		Input:     event.JSON(json.RawMessage(`[{"role":"user","content":"mail ` + m + `"}]`)),
		Output:    event.JSON(json.RawMessage(`{"to":"` + m + `","n":[1,2.50,true,null,{}],"` + m + `":"key","html":"<b>"}`)),
		Expected:  event.Text(m),
		Retrieval: &event.Retrieval{Query: m, Chunks: []event.Chunk{{ID: "c1", Text: "of " + m}}},
		ToolCalls: []event.ToolCall{{Name: "send", Arguments: event.Text(`{"to":"` + m + `"}`), Result: event.Text(m)}},
		Tools:     event.JSON(json.RawMessage(`[{"name":"send","description":"ask ` + m + `"}]`)),
		Comment:   "call " + m,
	}
	before, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := redactor(t, redact.Config{}).Event(&e)
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

func TestConfig(t *testing.T) {
	t.Parallel()
	text := "mail " + mail("a") + " ticket AB-17 card 4" + strings.Repeat("1", 15)
	tests := map[string]struct {
		cfg  redact.Config
		want string
	}{
		"default":  {redact.Config{}, "mail [EMAIL] ticket AB-17 card [CREDIT_CARD]"},
		"disabled": {redact.Config{Disabled: true}, text},
		"kinds":    {redact.Config{Kinds: []string{"credit_card"}}, "mail " + mail("a") + " ticket AB-17 card [CREDIT_CARD]"},
		"keep":     {redact.Config{Keep: []string{"email"}}, "mail " + mail("a") + " ticket AB-17 card [CREDIT_CARD]"},
		"patterns": {redact.Config{Patterns: []redact.Pattern{{Name: "ticket", Pattern: `AB-\d+`}}}, "mail [EMAIL] ticket [TICKET] card [CREDIT_CARD]"},
	}
	for name, tt := range tests {
		if got := redactor(t, tt.cfg).Text(text); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	bad := redact.Config{Kinds: []string{"e-mail"}, Keep: []string{"nonsense"}, Patterns: []redact.Pattern{{Name: "x", Pattern: "("}}}
	if fs := bad.Validate(); len(fs) != 3 {
		t.Errorf("faults: %v", fs)
	}
	if _, err := redact.New(bad); err == nil {
		t.Error("a bad configuration makes a redactor")
	}
	if fs := (redact.Config{Keep: []string{"secret", "pii"}}).Validate(); len(fs) != 1 {
		t.Errorf("nothing left to take out: %v", fs)
	}
}

// TestRedactJSON checks the rules that are special to JSON.
func TestRedactJSON(t *testing.T) {
	t.Parallel()
	key, card := "sk-"+strings.Repeat("aB3dE5fG", 4), "4"+strings.Repeat("1", 15)
	tests := map[string]struct{ in, want string }{
		"untouched, byte for byte": {`[ 1,  2.50e1, {"a" : "\u0062\/"} ]`, `[ 1,  2.50e1, {"a" : "\u0062\/"} ]`},
		"around what is taken out": {`{ "a" : "` + key + `" , "b":1.0}`, `{ "a" : "[OPENAI_KEY]" , "b":1.0}`},
		"named by its key":         {`{"password":"correct horse","n":{"api_key":["abc","def"]}}`, `{"password":"[ASSIGNED_SECRET]","n":{"api_key":["[ASSIGNED_SECRET]","[ASSIGNED_SECRET]"]}}`},
		"a schema of passwords":    {`{"properties":{"password":{"type":"string"}},"required":["password"]}`, `{"properties":{"password":{"type":"string"}},"required":["password"]}`},
		"a number by its key":      {`{"password":48213377,"pin_passwords":[1,[-2.5e1]],"n":48213377}`, `{"password":"[ASSIGNED_SECRET]","pin_passwords":["[ASSIGNED_SECRET]",["[ASSIGNED_SECRET]"]],"n":48213377}`},
		"below a secret's name":    {`{"secret":{"value":"correct horse","ok":true},"b":"correct horse"}`, `{"secret":{"value":"[ASSIGNED_SECRET]","ok":true},"b":"correct horse"}`},
		"in a list of objects":     {`{"passwords":[{"of":{"value":"correct horse"}}]}`, `{"passwords":[{"of":{"value":"[ASSIGNED_SECRET]"}}]}`},
		"a schema's own secrets":   {`{"properties":{"password":{"type":"string","minLength":8,"default":"correct horse"}}}`, `{"properties":{"password":{"type":"string","minLength":8,"default":"[ASSIGNED_SECRET]"}}}`},
		"a schema of credentials":  {`{"properties":{"credentials":{"type":"object","properties":{"user":{"type":"string"}},"required":["user"]}}}`, `{"properties":{"credentials":{"type":"object","properties":{"user":{"type":"string"}},"required":["user"]}}}`},
		"keys that become one":     {`{"` + mail("a") + `":1,"` + mail("b") + `":{"` + mail("c") + `":2}}`, `{"[EMAIL]":1,"[EMAIL]#2":{"[EMAIL]":2}}`},
		"a number":                 {`[` + card + `,1234567890123]`, `["[CREDIT_CARD]",1234567890123]`},
		"written in escapes":       {`"\u0073k-` + key[3:] + `"`, `"[OPENAI_KEY]"`},
		"JSON inside a string":     {`"{\"a\":\"line\\n` + key + `\"}"`, `"{\"a\":\"line\\n[OPENAI_KEY]\"}"`},
		"named inside a string":    {`{"arguments":" {\"password\": \"correct horse\", \"n\": 1.0}\n"}`, `{"arguments":" {\"password\": \"[ASSIGNED_SECRET]\", \"n\": 1.0}\n"}`},
		"a string in a string":     {`"[{\"a\":\"{\\\"api_key\\\":7}\"}]"`, `"[{\"a\":\"{\\\"api_key\\\":\\\"[ASSIGNED_SECRET]\\\"}\"}]"`},
		"no JSON inside a string":  {`["{password}","[1]","{\"a\":}"]`, `["{password}","[1]","{\"a\":}"]`},
		"no HTML escapes":          {`"<b>` + mail("a") + `</b>"`, `"<b>[EMAIL]</b>"`},
	}
	r := redactor(t, redact.Config{})
	for name, tt := range tests {
		got, err := r.Event(&event.Event{Output: event.JSON(json.RawMessage(tt.in))})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(got.Output.Raw()) != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Output.Raw(), tt.want)
		}
		if again, err := r.Event(got); err != nil || string(again.Output.Raw()) != tt.want {
			t.Errorf("%s: redacted twice: %s, %v", name, again.Output.Raw(), err)
		}
	}
}

// TestRedactFails: content that cannot be redacted is an error that names the place
// and has a reason, without a word of the content.
func TestRedactFails(t *testing.T) {
	t.Parallel()
	var invalid event.Content
	if err := invalid.UnmarshalJSON([]byte(`{"canary":`)); err != nil {
		t.Fatal(err)
	}
	deep := event.JSON(json.RawMessage(strings.Repeat(`["canary",`, 200) + "1" + strings.Repeat("]", 200)))
	deepText := event.Text(strings.Repeat(`[`, 200) + `"canary"` + strings.Repeat("]", 200))
	tests := map[string]struct {
		e    event.Event
		want string
	}{
		"too deep inside a string": {event.Event{Input: deepText}, "redact input: nested deeper than 128 values"},

		"invalid":   {event.Event{Output: invalid}, "redact output: invalid JSON"},
		"too deep":  {event.Event{ToolCalls: []event.ToolCall{{Result: deep}}}, "redact tool_calls.result: nested deeper than 128 values"},
		"too large": {event.Event{Comment: "canary", Retrieval: &event.Retrieval{Chunks: []event.Chunk{{Text: strings.Repeat(" ", 17<<20)}}}}, "more than 16 MiB of content"},
	}
	r := redactor(t, redact.Config{})
	for name, tt := range tests {
		got, err := r.Event(&tt.e)
		if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v; want %q", name, got != nil, err, tt.want)
		}
	}
}

// FuzzRedact: a planted key never survives, JSON stays JSON of
// the same shape, and redacting twice changes nothing more.
func FuzzRedact(f *testing.F) {
	r := redactor(f, redact.Config{})
	key := "sk-" + strings.Repeat("aB3dE5fG", 4)
	f.Add(`{"a":["KEY",1,{"KEY":null}]}`)
	f.Add(`{"password":["x",["y"]],"KEY":{"KEY":"KEY"}}`)
	f.Add(`{"args":"{\"password\":\"KEY\",\"a\":\"[{}, \\\"KEY\\\"]\"}"}`)
	f.Add(`"before KEY after \u00e9 \ud83d"`)
	f.Add(`[1e400, -0.0, 12345678901234567890]`)
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ReplaceAll(s, "KEY", " "+key+" ")
		e := event.Event{Output: event.JSON(json.RawMessage(s))}
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
		if before, after := shape(t, e.Output.Raw()), shape(t, raw); before != after {
			t.Fatalf("%q became %q: shape %s, then %s", s, raw, before, after)
		}
	})
}

// shape returns the tokens of a JSON value without their content. Numbers and
// strings look alike, because a sensitive number becomes a string.
func shape(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case json.Delim:
			b.WriteRune(rune(v))
		case string, json.Number:
			b.WriteByte('s')
		default:
			fmt.Fprint(&b, v)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	r := redactor(b, redact.Config{})
	for _, size := range []int{2 << 10, 32 << 10} {
		input := strings.Repeat("Where is my order 4155550132? It left on Monday. ", size/98)
		output := strings.Repeat("It arrives on Friday at noon. ", size/60)
		for name, more := range map[string]string{"clean": "", "sensitive": " Write to " + mail("ana") + " or call 415-555" + "-0132."} {
			e := event.Event{
				Input:  event.JSON(json.RawMessage(`[{"role":"system","content":"You help."},{"role":"user","content":"` + input + more + `"}]`)),
				Output: event.JSON(json.RawMessage(`{"answer":"` + output + more + `","sources":["a","b"]}`)),
			}
			b.Run(fmt.Sprintf("%s_%dKB", name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.Event(&e); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
