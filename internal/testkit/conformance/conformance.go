package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Canary is a word that marks content. No evaluator may repeat it where content
// must not go. Samples may hold it in their input, output, chunks and tool
// arguments; [Evaluator] plants it there too.
const Canary = "zqcanaryzq"

// Bounds of the short texts of a verdict.
const (
	maxReason = 300 // bytes
	maxLabel  = 64  // bytes
)

// Evaluator tests an evaluator against the contract of [eval.Evaluator]. build
// returns a new one, always with the same configuration; samples are events that it
// can decide. Run it with -race, because it evaluates in many goroutines at once.
func Evaluator(t *testing.T, build func(t *testing.T) eval.Evaluator, samples []event.Event) {
	t.Helper()
	if len(samples) == 0 {
		t.Fatal("no samples")
	}
	events := variants(t, samples)
	t.Run("identity", func(t *testing.T) { identity(t, build, events) })
	t.Run("verdicts", func(t *testing.T) { verdicts(t, build(t), events) })
	t.Run("event unchanged", func(t *testing.T) { unchanged(t, build(t), events) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, build(t), events) })
	t.Run("context", func(t *testing.T) { contexts(t, build(t), samples) })
}

// variants returns the samples, an event with only an id, and each sample with the
// canary in every place that holds content.
func variants(t *testing.T, samples []event.Event) []event.Event {
	t.Helper()
	events := append(slices.Clone(samples), event.Event{Kind: event.KindRequestCompleted, RequestID: "bare"})
	object := event.JSON(json.RawMessage(fmt.Sprintf(`{%q:{%q:[%q,{%q:-1}]}}`, Canary, Canary, Canary, Canary)))
	contents := []event.Content{
		event.Text(""), event.Text(Canary), object,
		event.Text(`{"` + Canary + `":"` + Canary + `","a":`),
		event.Text("Here it is:\n```json\n{\"" + Canary + "\":[\"" + Canary + "\"]}\n```"),
		event.Text("See [" + Canary + "] and 【" + Canary + "】, mail " + Canary + "@example.com."),
		event.JSON(json.RawMessage(fmt.Sprintf(`{"role":"assistant","content":%q}`, Canary))),
		event.JSON(json.RawMessage(`{"role":"assistant","content":null}`)),
		event.JSON(json.RawMessage(fmt.Sprintf(`{"object":"response","status":%q,"output":[{"type":%q,"text":%q}]}`, Canary, Canary, Canary))),
		event.JSON(json.RawMessage(fmt.Sprintf(`{"candidates":[{"finishReason":%q,"content":{"parts":[{"text":%q,"thought":true}]}}]}`, Canary, Canary))),
		event.JSON(json.RawMessage(fmt.Sprintf(`[{"role":"user","content":[{"type":"text","text":%q}]}]`, Canary))),
	}
	for i := range samples {
		for _, c := range contents {
			e := withCanary(t, &samples[i])
			e.Output = c
			events = append(events, e)
		}
		e := withCanary(t, &samples[i])
		e.Output = event.Text(samples[i].Output.Text() + " " + Canary)
		events = append(events, e)
		for j := range e.ToolCalls {
			unknown, misfit := withCanary(t, &samples[i]), withCanary(t, &samples[i])
			unknown.ToolCalls[j].Name = Canary
			misfit.ToolCalls[j].Arguments = object
			events = append(events, unknown, misfit)
		}
	}
	return events
}

// withCanary returns a deep copy with the canary in all content except the output.
func withCanary(t *testing.T, e *event.Event) event.Event {
	t.Helper()
	out := clone(t, e)
	out.Input = event.Text(Canary + " " + e.Input.Text())
	if !e.Expected.IsZero() {
		out.Expected = event.Text(Canary)
	}
	out.Comment = Canary
	if out.Retrieval != nil {
		out.Retrieval.Query = Canary
		for i := range out.Retrieval.Chunks {
			out.Retrieval.Chunks[i].Text += " " + Canary
		}
	}
	for i := range out.ToolCalls {
		out.ToolCalls[i].Result = event.Text(Canary)
	}
	return out
}

func clone(t *testing.T, e *event.Event) event.Event {
	t.Helper()
	var out event.Event
	if err := json.Unmarshal(encoded(t, e), &out); err != nil {
		t.Fatalf("copy a sample: %v", err)
	}
	return out
}

func encoded(t *testing.T, e *event.Event) []byte {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("encode a sample: %v", err)
	}
	return b
}

func identity(t *testing.T, build func(t *testing.T) eval.Evaluator, events []event.Event) {
	t.Helper()
	a, b := build(t), build(t)
	if a.Name() == "" || a.Name() != b.Name() {
		t.Errorf("name %q, and of another one with the same configuration %q", a.Name(), b.Name())
	}
	if !slices.Contains([]eval.Type{eval.TypeJSONSchema, eval.TypeRule, eval.TypeLLMJudge}, a.Type()) {
		t.Errorf("type %q: want that of an evaluator", a.Type())
	}
	if a.Version() == "" || a.Version() != b.Version() {
		t.Errorf("version %q, and of another one with the same configuration %q", a.Version(), b.Version())
	}
	name, typ, version := a.Name(), a.Type(), a.Version()
	for i := range events {
		_, _ = a.Evaluate(t.Context(), &events[i]) // verdicts are looked at elsewhere
	}
	if a.Name() != name || a.Type() != typ || a.Version() != version {
		t.Errorf("name, type or version changed by use: %s %s %s, want %s %s %s", a.Name(), a.Type(), a.Version(), name, typ, version)
	}
}

func verdicts(t *testing.T, ev eval.Evaluator, events []event.Event) {
	t.Helper()
	for i := range events {
		v, err := ev.Evaluate(t.Context(), &events[i])
		for _, fault := range faults(ev, &v, err) {
			t.Errorf("event %d: %s", i, fault)
		}
		if ev.Type() == eval.TypeLLMJudge || err != nil {
			continue // a model may answer differently
		}
		again, err := ev.Evaluate(t.Context(), &events[i])
		if err != nil || again.Outcome != v.Outcome || again.Score != v.Score || again.Label != v.Label || again.Reason != v.Reason {
			t.Errorf("event %d: the same event again gave %s %v %q %q, before %s %v %q %q",
				i, again.Outcome, again.Score, again.Label, again.Reason, v.Outcome, v.Score, v.Label, v.Reason)
		}
	}
}

var label = regexp.MustCompile(`^[a-z0-9_]*$`)

// faults returns the ways in which an answer breaks the contract.
func faults(ev eval.Evaluator, v *eval.Verdict, err error) []string {
	var out []string
	wrong := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if err != nil {
		if strings.Contains(err.Error(), Canary) {
			wrong("content in the error's text")
		}
		if !slices.Contains(eval.Reasons(), eval.ReasonOf(err)) {
			wrong("reason %q is none of the closed set", eval.ReasonOf(err))
		}
		return out
	}
	switch {
	case v.Outcome == eval.OutcomeError:
		wrong("outcome error without an error")
	case !slices.Contains(eval.Outcomes(), v.Outcome):
		wrong("outcome %s is unknown", v.Outcome)
	case v.Outcome.Decided():
		if math.IsNaN(v.Score) || v.Score < 0 || v.Score > 1 {
			wrong("score %v is not in [0,1]", v.Score)
		}
	case v.Score != 0:
		wrong("score %v with the undecided outcome %s", v.Score, v.Outcome)
	}
	if v.Reason == "" && v.Outcome != eval.OutcomePass {
		wrong("outcome %s without a reason", v.Outcome)
	}
	if v.Confidence < 0 || v.Confidence > 1 || math.IsNaN(v.Confidence) {
		wrong("confidence %v is not in [0,1]", v.Confidence)
	}
	if len(v.Reason) > maxReason || !utf8.ValidString(v.Reason) || strings.ContainsAny(v.Reason, "\r\n") {
		wrong("reason of %d bytes: want at most %d, in one line of UTF-8", len(v.Reason), maxReason)
	}
	if len(v.Label) > maxLabel || !label.MatchString(v.Label) {
		wrong("label %q: want at most %d of a-z, 0-9 and _", v.Label, maxLabel)
	}
	for name, m := range v.Measures {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			wrong("measure %s is %v", name, m)
		}
	}
	// These leave the process, so they must not hold content.
	shown := []string{v.Eval, string(v.Type), v.Version, v.Label, v.Reason}
	for _, c := range v.Criteria {
		shown = append(shown, c.ID)
	}
	for _, s := range shown {
		if strings.Contains(strings.ToLower(s), Canary) {
			wrong("content in the verdict: %q", s)
		}
	}
	if v.Eval != "" && v.Eval != ev.Name() || v.Type != "" && v.Type != ev.Type() || v.Version != "" && v.Version != ev.Version() {
		wrong("verdict of %s %s %s from %s %s %s", v.Eval, v.Type, v.Version, ev.Name(), ev.Type(), ev.Version())
	}
	return out
}

func unchanged(t *testing.T, ev eval.Evaluator, events []event.Event) {
	t.Helper()
	for i := range events {
		before := encoded(t, &events[i])
		_, _ = ev.Evaluate(t.Context(), &events[i]) // verdicts are looked at elsewhere
		if after := encoded(t, &events[i]); string(after) != string(before) {
			t.Errorf("event %d: changed by its evaluation", i)
		}
	}
}

func concurrent(t *testing.T, ev eval.Evaluator, events []event.Event) {
	t.Helper()
	const workers = 8
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range events {
				// All goroutines share the events, and each begins at a different
				// one.
				e := &events[(i+w*len(events)/workers)%len(events)]
				v, err := ev.Evaluate(t.Context(), e)
				for _, fault := range faults(ev, &v, err) {
					t.Errorf("event %s: %s", e.RequestID, fault)
				}
			}
		})
	}
	wg.Wait()
}

// contexts evaluates under a context that has ended. The evaluator either still
// answers, if that costs nothing, or fails with the context's error.
func contexts(t *testing.T, ev eval.Evaluator, samples []event.Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range samples {
		v, err := ev.Evaluate(ctx, &samples[i])
		for _, fault := range faults(ev, &v, err) {
			t.Errorf("sample %d: %s", i, fault)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("sample %d: error %v, want one that wraps context.Canceled", i, err)
		}
	}
}
