package replay_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/replay"
)

// hiding is a redactor that hides one word.
type hiding string

func (h hiding) Text(s string) string { return strings.ReplaceAll(s, string(h), "[HIDDEN]") }

func (h hiding) Names(e *event.Event) *event.Event {
	out := *e
	out.Feature = h.Text(out.Feature)
	return &out
}

// TestReports: a report says what was evaluated and found, without content; what a
// judge says is redacted and bounded. A number that JSON does not have is none.
func TestReports(t *testing.T) {
	t.Parallel()
	e := &event.Event{
		RequestID: "r1", TraceID: "ab54a98ceb1f0ad2", SpanID: "12345678901234567890", PromptVersion: "v<1>", Feature: "for canary",
		Status: "200", UserRating: "Down", Input: event.Text("a secret question"), Output: event.Text("a secret answer"), TenantID: "t1",
	}
	picked := eval.Plan{Picks: []eval.Pick{{Name: "judge"}}}
	nan := 0.0
	nan /= nan
	for name, tt := range map[string]struct {
		result replay.Result
		want   string
	}{
		"evaluated": {replay.Result{Number: 3, Report: &eval.Report{Event: e, Plan: picked, Verdicts: []eval.Verdict{
			{
				Eval: "judge", Type: eval.TypeLLMJudge, Version: "v", Outcome: eval.OutcomeFail, Score: 0.25, Reason: "not met: x", Probability: 0.5, Rule: "r",
				Explanation: "canary " + strings.Repeat("é", 3000), Confidence: 0.9, Duration: 1500 * time.Microsecond,
				Criteria: []eval.Criterion{{ID: "x", Outcome: eval.OutcomeFail, Evidence: "the canary", Reason: "says canary"}},
				Usage:    &eval.Usage{Model: "m", Calls: 1, InputTokens: 10, OutputTokens: 2, CostNanoUSD: 125_000, CostKnown: true, Format: "json_schema"},
			},
			{Eval: "rule", Type: eval.TypeRule, Outcome: eval.OutcomeError, Score: 0.5, Reason: "timeout", Probability: 1, Usage: &eval.Usage{Model: "m"}},
			{Eval: "odd", Type: eval.TypeRule, Outcome: eval.OutcomePass, Score: nan, Probability: 1},
		}}}, `{"line":3,"request_id":"r1","disposition":"evaluated","reason":"","trace_id":"0000000000000000ab54a98ceb1f0ad2","span_id":"ab54a98ceb1f0ad2",` +
			`"feature":"for [HIDDEN]","prompt_version":"v<1>","status":"success","user_rating":"down","verdicts":[` +
			`{"eval":"judge","type":"llm_judge","outcome":"fail","score":0.25,"label":"","reason":"not met: x","version":"v","probability":0.5,"rule":"r","confidence":0.9,` +
			`"explanation":"[HIDDEN] ` + strings.Repeat("é", 1991) + `...","criteria":[{"id":"x","outcome":"fail","evidence":"the [HIDDEN]","reason":"says [HIDDEN]"}],"latency_ms":1.5,` +
			`"usage":{"model":"m","calls":1,"input_tokens":10,"cached_tokens":0,"output_tokens":2,"cost_usd":0.000125,"format":"json_schema"}},` +
			`{"eval":"rule","type":"rule","outcome":"error","score":null,"label":"","reason":"timeout","version":"","probability":1,"latency_ms":0,` +
			`"usage":{"model":"m","calls":0,"input_tokens":0,"cached_tokens":0,"output_tokens":0,"cost_usd":null}},` +
			`{"eval":"odd","type":"rule","outcome":"pass","score":null,"label":"","reason":"","version":"","probability":1,"latency_ms":0}]}`},
		"not wanted": {
			replay.Result{Number: 4, Report: &eval.Report{Event: &event.Event{RequestID: "r2", Feature: "canary"}, Plan: eval.Plan{Unwanted: true}}},
			`{"line":4,"request_id":"r2","disposition":"unwanted","reason":"not wanted: no evaluator's condition holds","feature":"[HIDDEN]","verdicts":[]}`,
		},
		"bad": {
			replay.Result{Number: 5, Err: eval.Permanent(eval.ReasonMalformed, errors.New("no JSON"))},
			`{"line":5,"disposition":"dead_lettered","reason":"malformed: no JSON","verdicts":[]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := replay.NewReports(&out, hiding("canary")).Write(&tt.result); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(out.String()); got != tt.want {
				t.Errorf("report:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// TestReportsHaveAllDimensions: what sampling can tell apart, readers of reports can.
func TestReportsHaveAllDimensions(t *testing.T) {
	t.Parallel()
	var e event.Event
	v := reflect.ValueOf(&e).Elem()
	for _, name := range event.DimNames() {
		for i := range v.NumField() {
			if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
				v.Field(i).SetString("1")
			}
		}
	}
	var out strings.Builder
	if err := replay.NewReports(&out, hiding("canary")).Write(&replay.Result{Report: &eval.Report{Event: &e}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range event.DimNames() {
		if !strings.Contains(out.String(), `"`+name+`":`) {
			t.Errorf("%s is missing in %s", name, &out)
		}
	}
}
