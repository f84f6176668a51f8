package validators

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/testkit/conformance"
)

const replySchema = `{
  "type": "object",
  "required": ["reply", "priority"],
  "additionalProperties": false,
  "properties": {
    "reply": {"type": "string", "minLength": 1},
    "priority": {"enum": ["low", "high"]},
    "order": {"type": "integer"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "due": {"type": "string", "format": "date"},
    "contact": {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}}
  }
}`

func newSchemas(t testing.TB, files map[string]string) *Schemas {
	t.Helper()
	data := make(map[string][]byte, len(files))
	for name, text := range files {
		data[name] = []byte(text)
	}
	s, faults := NewSchemas(data)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

func newValidator(t testing.TB, c Config, s *Schemas) eval.Evaluator {
	t.Helper()
	if c.Name == "" {
		c.Name = "check"
	}
	v, err := New(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func evaluate(t testing.TB, v eval.Evaluator, e *event.Event) eval.Verdict {
	t.Helper()
	got, err := v.Evaluate(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if own, ok := v.(*validator); ok && got.Label != "" && !slices.Contains(Labels(own.kind), got.Label) {
		t.Errorf("Labels(%q) lacks %q", own.kind, got.Label)
	}
	return got
}

// want is a table's expectation of a verdict.
type want struct {
	outcome eval.Outcome
	label   string
	reason  string
}

func checkVerdict(t *testing.T, got eval.Verdict, w want) {
	t.Helper()
	if diff := cmp.Diff(w, want{got.Outcome, got.Label, got.Reason}, cmp.AllowUnexported(want{})); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// newEvent decodes an event from its JSON without the required fields.
func newEvent(t testing.TB, fields string) *event.Event {
	t.Helper()
	e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"r1",` + fields + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func saying(text string) *event.Event {
	return &event.Event{Kind: event.KindRequestCompleted, RequestID: "r1", Output: event.Text(text)}
}

// configs returns configurations of every kind, which together set every option.
// The tests of all kinds at once run on them: a new kind, or a new option, is a
// line here.
func configs() []Config {
	return []Config{
		{Type: "json_schema", Schema: "reply"},
		{Type: "json_schema"},
		{Type: "tool_calls"},
		{Type: "contains", Any: []string{"refund"}, All: []string{"order"}, None: []string{"guarantee"}},
		{Type: "contains", All: []string{"Refund"}, CaseSensitive: true},
		{Type: "regex", Pattern: `\d+`, Negate: true},
		{Type: "length", MinChars: new(3), MaxWords: new(8)},
		{Type: "length", MinWords: new(1), MaxChars: new(80)},
		{Type: "equals"},
		{Type: "equals", Value: "yes", CaseSensitive: true},
		{Type: "substance"},
		{Type: "refusal"},
		{Type: "refusal", Allowed: true},
		{Type: "pii"},
		{Type: "pii", Kinds: []string{"email"}, AllowInInput: true},
		{Type: "secrets", Kinds: []string{"jwt"}},
		{Type: "secrets", AllowInInput: true},
		{Type: "citations"},
		{Type: "citations", Format: `\[(\w+)\]`, Required: true},
		{Type: "retrieval", MinHits: new(int64(1)), MinTopScore: new(0.5)},
		{Type: "budget", MaxLatencyMS: new(1000.0), FinishReasons: []string{"stop"}},
		{Type: "budget", MaxFirstTokenLatencyMS: new(100.0), MaxInputTokens: new(int64(9)), MaxOutputTokens: new(int64(9)), MaxCostUSD: new(0.1)},
		{Type: "groundedness"},
		{Type: "groundedness", MinShare: new(0.9)},
	}
}

// TestWithoutAnswer: nothing passes or fails on an output that cannot be read, on one
// that the provider withheld, on a step that only calls tools, or on thoughts alone
// where the words would decide.
func TestWithoutAnswer(t *testing.T) {
	t.Parallel()
	schemas := newSchemas(t, map[string]string{"reply.json": replySchema})
	const rest = `"input":"When?","expected":"soon","output_schema":"reply","retrieval":{"chunks":[{"id":"kb_1","text":"Refunds are due"}]},`
	events := map[string]*event.Event{
		"unread":   newEvent(t, rest+`"output":{"object":"response","output":[{"type":"hologram","text":"soon"}]}`),
		"withheld": newEvent(t, rest+`"output":{"candidates":[{"finishReason":"SAFETY"}]}`),
		"calls":    newEvent(t, rest+`"output":{"role":"model","parts":[{"functionCall":{"name":"lookup","args":{}}}]}`),
	}
	for _, c := range configs() {
		switch c.Type {
		case "tool_calls", "retrieval", "budget": // read no words
			continue
		}
		v := newValidator(t, c, schemas)
		for name, e := range events {
			want := eval.OutcomeNotApplicable
			switch {
			case name == "unread":
				want = eval.OutcomeCannotJudge
			case name == "withheld" && c.Type == "refusal" && c.Allowed:
				want = eval.OutcomePass
			case name == "withheld" && c.Type == "refusal":
				want = eval.OutcomeFail
			}
			if got := evaluate(t, v, e); got.Outcome != want || got.Reason == "" && !got.Outcome.Decided() {
				t.Errorf("%s on %s: %s (%s); want %s", c.Type, name, got.Outcome, got.Reason, want)
			}
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	schemas := newSchemas(t, map[string]string{"reply.json": replySchema})
	samples := []event.Event{
		*newEvent(t, `"input":"When do I get my refund?","output":{"reply":"soon","priority":"low"},"output_schema":"reply","expected":"soon"`),
		*newEvent(t, `"input":[{"role":"user","content":"hello"}],"output":"Your refund for order 7 is due [kb_1] (source: kb_9).","output_schema":"reply",
			"retrieval":{"hit_count":2,"top_score":0.4,"chunks":[{"id":"kb_1","text":"Refunds are due within 14 days","score":0.4},{"id":"kb_2","text":"Orders ship daily"}]},
			"llm_latency_ms":1200,"finish_reason":"stop"`),
		*newEvent(t, `"output":"I'm sorry, but I cannot help with that.","output_schema":"nope","tools":[{"name":"lookup","parameters":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}}],
			"tool_calls":[{"name":"lookup","arguments":{"id":"x"},"status":"success"},{"name":"lookup","arguments":"{\"id\":1}","status":"error"}]`),
	}
	for _, c := range configs() {
		t.Run(c.Type, func(t *testing.T) {
			t.Parallel()
			conformance.Evaluator(t, func(t *testing.T) eval.Evaluator {
				t.Helper()
				return newValidator(t, c, schemas)
			}, samples)
		})
	}
}

// TestNoPlaceIsForgotten fails for a new kind or option that is missing in one of
// its places. Every kind runs in the tests of all kinds, with each of its options;
// every option is a field of Config, with a line for the documentation; every field
// is an option of some kind.
func TestNoPlaceIsForgotten(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{} // whether some kind has the option
	for f := range reflect.TypeFor[Config]().Fields() {
		key, doc := f.Tag.Get("yaml"), f.Tag.Get("doc")
		if key == "-" {
			continue
		}
		keys[key] = false
		if !strings.HasSuffix(doc, ".") || strings.Contains(doc, "\n") {
			t.Errorf("the tag doc of %s is %q, want one full line", f.Name, doc)
		}
	}
	run := map[string]bool{} // kinds, and options as kind.option
	for _, c := range configs() {
		run[c.Type] = true
		for f, value := range reflect.ValueOf(c).Fields() {
			run[c.Type+"."+f.Tag.Get("yaml")] = run[c.Type+"."+f.Tag.Get("yaml")] || !value.IsZero()
		}
	}
	for _, k := range Kinds() {
		if len(Labels(k.Name)) == 0 {
			t.Errorf("%s has no labels", k.Name)
		}
		if k.Description == "" {
			t.Errorf("%s has no description", k.Name)
		}
		if diff := cmp.Diff(k.Options, Options(k.Name)); diff != "" {
			t.Errorf("options of %s (-Kinds +Options):\n%s", k.Name, diff)
		}
		if !run[k.Name] {
			t.Errorf("configs has no %s", k.Name)
		}
		for _, o := range k.Options {
			if _, ok := keys[o]; !ok {
				t.Errorf("option %s of %s is not a field of Config", o, k.Name)
			}
			if !run[k.Name+"."+o] {
				t.Errorf("configs has no %s with the option %s", k.Name, o)
			}
			keys[o] = true
		}
	}
	for key, used := range keys {
		if !used {
			t.Errorf("%s is an option of no kind", key)
		}
	}
	if Options("no such kind") != nil {
		t.Error("a kind that does not exist has options")
	}
}

func TestValidateFaults(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, k := range Kinds() {
		kinds = append(kinds, k.Name)
	}
	for name, tt := range map[string]struct {
		config Config
		want   []string // "path: problem; expected"
	}{
		"no type":           {Config{}, []string{"type: missing; want one of " + strings.Join(kinds, ", ")}},
		"misspelt type":     {Config{Type: "json-shema"}, []string{`type: unknown type "json-shema"; did you mean "json_schema"?`}},
		"foreign option":    {Config{Type: "refusal", MinShare: new(0.5), Pattern: "x"}, []string{"pattern: no option of refusal; it takes allowed", "min_share: no option of refusal; it takes allowed"}},
		"no options":        {Config{Type: "substance", Allowed: true}, []string{"allowed: no option of substance; it takes no options"}},
		"look-around":       {Config{Type: "regex", Pattern: "(?!x)"}, []string{"pattern: invalid or unsupported Perl syntax: `(?!`; RE2 has no look-around: it would not be linear; use negate, or a second validator"}},
		"no pattern":        {Config{Type: "regex"}, []string{"pattern: missing; want a regular expression (RE2)"}},
		"nothing to find":   {Config{Type: "contains"}, []string{"contains looks for nothing; set at least one of any, all, none"}},
		"blank phrases":     {Config{Type: "contains", Any: []string{"a", " "}, None: []string{"\u200b"}}, []string{"any[1]: empty; want a text that is not blank", "none[0]: empty; want a text that is not blank"}},
		"crossed bounds":    {Config{Type: "length", MinWords: new(5), MaxWords: new(4), MinChars: new(-1)}, []string{"min_chars: is negative; want 0 or more", "max_words: is below min_words; want at least 5"}},
		"unbounded length":  {Config{Type: "length"}, []string{"length has no bound; set at least one of min_chars, max_chars, min_words, max_words"}},
		"zero budget":       {Config{Type: "budget", MaxCostUSD: new(0.0), MaxOutputTokens: new(int64(-1))}, []string{"max_output_tokens: is not above zero; want a number above 0", "max_cost_usd: is not above zero; want a number above 0"}},
		"empty budget":      {Config{Type: "budget"}, []string{"budget has no bound; set at least one of max_latency_ms, max_first_token_latency_ms, max_input_tokens, max_output_tokens, max_cost_usd, finish_reasons"}},
		"share above one":   {Config{Type: "groundedness", MinShare: new(1.5)}, []string{"min_share: is not in (0,1]; want a share such as 0.2"}},
		"format, no group":  {Config{Type: "citations", Format: `\[\d+\]`}, []string{`format: has 0 groups; want one group around the id, for example \[doc:(\w+)\]`}},
		"format, no regexp": {Config{Type: "citations", Format: `(`}, []string{"format: missing closing ): `(`; want RE2 syntax, https://github.com/google/re2/wiki/Syntax"}},
		"no hits":           {Config{Type: "retrieval", MinHits: new(int64(0))}, []string{"min_hits: is below 1; want 1 or more"}},
		"misspelt pii kind": {Config{Type: "pii", Kinds: []string{"emial"}}, []string{`kinds[0]: unknown kind "emial"; did you mean "email"?`}},
		"good":              {Config{Type: "length", MaxChars: new(0)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range tt.config.Validate() {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			_, err := New(tt.config, nil)
			var faults fault.List
			if len(tt.want) > 0 && !errors.As(err, &faults) {
				t.Errorf("New gave %v, want faults", err)
			}
		})
	}
}

func TestNewUnknownSchema(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Type: "json_schema", Schema: "replay"}, newSchemas(t, map[string]string{"reply.json": replySchema}))
	if err == nil || err.Error() != `schema: unknown schema "replay"; did you mean "reply"?` {
		t.Errorf("error %v", err)
	}
	if _, err = New(Config{Type: "json_schema", Schema: "reply"}, nil); err == nil || err.Error() != `schema: unknown schema "reply"; there are none` {
		t.Errorf("error without schemas %v", err)
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newValidator(t, Config{Type: "substance"}, nil).Evaluate(ctx, saying("x"))
	if eval.ReasonOf(err) != eval.ReasonCanceled {
		t.Errorf("error %v, want one with reason canceled", err)
	}
}
