package clients

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// evaluators are those of the worker's configuration.
var evaluators = []string{"helpfulness", "refusal"}

// faults are what is wrong with a program's events, by problem: the questions.
type faults map[string][]string

func (f faults) add(j job, format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	f[problem] = append(f[problem], j.Question)
}

// report prints each problem once.
func (f faults) report(t *testing.T) {
	t.Helper()
	for _, problem := range slices.Sorted(maps.Keys(f)) {
		t.Errorf("%s (%d times, first in %q)", problem, len(f[problem]), f[problem][0])
	}
}

// check compares what a program has published, and what the agent got, with its jobs.
func check(t *testing.T, w *world, p program, jobs []job) {
	t.Helper()
	found := faults{}
	defer found.report(t)
	byTrace := map[string]job{}
	for _, j := range jobs {
		byTrace[j.trace] = j
	}
	published, ratings := map[string]*event.Event{}, map[event.RequestID]int{}
	for _, m := range w.read(t) {
		e, err := event.DecodeStrict(m.Value)
		if err != nil {
			t.Fatalf("an event that --strict refuses: %v", err)
		}
		if e.Kind == event.KindUserFeedback {
			ratings[e.RequestID]++
			continue
		}
		trace := traceOf(e)
		j, ok := byTrace[trace]
		switch {
		case !ok:
			found.add(job{Question: string(e.RequestID)}, "an event whose trace is of no request")
		case published[trace] != nil:
			found.add(j, "a second event")
		default:
			published[trace] = e
		}
	}
	for _, j := range jobs {
		e := published[j.trace]
		if e == nil {
			found.add(j, "no event")
			delete(byTrace, j.trace)
			continue
		}
		for _, problem := range problems(w, p, j, e) {
			found.add(j, "%s", problem)
		}
		want := 0
		if j.Kind == rated {
			want = 1
		}
		if ratings[e.RequestID] != want {
			found.add(j, "%d ratings, want %d", ratings[e.RequestID], want)
		}
		delete(ratings, e.RequestID)
	}
	for id := range ratings {
		found.add(job{Question: string(id)}, "a rating of a request that nobody made")
	}
	checkScores(t, w, byTrace, found)
}

// checkScores waits for the scores of all requests that have an event, and compares their traces, links and
// outcomes.
func checkScores(t *testing.T, w *world, byTrace map[string]job, found faults) {
	t.Helper()
	var scores map[string][]datadog.Span
	var runs map[uint64]datadog.Span
	eventually(t, "scores of all requests", func() bool {
		scores, runs = map[string][]datadog.Span{}, map[uint64]datadog.Span{}
		n := 0
		for _, s := range w.agent.Spans() {
			switch trace := s.Meta["llm.trace_id"]; {
			case byTrace[trace].trace == "":
			case s.Name == "eval.run":
				runs[s.SpanID] = s
			case s.Name == "eval.score" && s.Meta["eval.name"] != "user_feedback": // of another event
				scores[trace] = append(scores[trace], s)
				n++
			}
		}
		return n >= len(evaluators)*len(byTrace)
	})
	for _, trace := range slices.Sorted(maps.Keys(byTrace)) {
		j := byTrace[trace]
		outcomes := map[string]string{}
		for _, s := range scores[trace] {
			run := runs[s.ParentID]
			if len(run.Links) != 1 || fmt.Sprintf("%016x%016x-%016x", run.Links[0].TraceIDHi, run.Links[0].TraceID, run.Links[0].SpanID) != j.trace+"-"+j.span {
				found.add(j, "the score %s is not linked to the span of the request", s.Meta["eval.name"])
			}
			outcomes[s.Meta["eval.name"]] += s.Meta["eval.outcome"]
		}
		if !slices.Equal(slices.Sorted(maps.Keys(outcomes)), evaluators) {
			found.add(j, "scores %v", outcomes)
			continue
		}
		want := "pass"
		if j.Kind == tools || j.Kind == streamedTools || j.Kind == failing || j.Kind == cancelled {
			want = "" // no whole answer: what evaluators make of that is theirs
		}
		for name, outcome := range outcomes {
			if want != "" && outcome != want || outcome == "error" {
				found.add(j, "%s: %s", name, outcome)
			}
		}
	}
}

// problems compares one event with what was asked and answered.
func problems(w *world, p program, j job, e *event.Event) []string {
	var out []string
	want := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			out = append(out, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	for _, name := range e.Ignored() {
		out = append(out, "field "+name+" is none or cannot be read")
	}
	want("fields", []string{e.Feature, e.PromptName, e.PromptVersion, e.UserIDHash}, []string{"parcels", p.name, "v1", openai.UserIDHash(user)})
	want("span", spanOf(e), j.span)
	want("whether the question is in the input", strings.Contains(string(e.Input.Raw()), j.Question), true)
	want("whether it has a latency", e.LatencyMS != nil && *e.LatencyMS > 0, true)
	streams := j.Kind == streamed || j.Kind == streamedTools || j.Kind == streamedResponses
	if streams && p.output != observed {
		want("streaming", e.Streaming != nil && *e.Streaming, true)
		want("whether it has the time of its first token", e.FirstTokenLatencyMS != nil, true)
	}
	switch j.Kind {
	case failing:
		want("status", e.Status, "error")
		if e.ErrorType == "" || strings.Contains(e.ErrorType, " ") {
			out = append(out, fmt.Sprintf("error_type is %q", e.ErrorType))
		}
		return out
	case cancelled:
		want("status", e.Status, "error")
		if e.ErrorType != "cancelled" && e.ErrorType != "timeout" && p.output != observed {
			out = append(out, fmt.Sprintf("error_type is %q", e.ErrorType))
		}
		return out
	}
	sent, tries := w.provider.answered(j.Question)
	want("status", e.Status, "success")
	if p.output != observed {
		want("model", e.Model, servedModel)
		want("tokens", numbers(e.InputTokens, e.OutputTokens, e.TotalTokens), []int64{12, 5, 17})
		want("whether it has a finish_reason", e.FinishReason != "", true)
	}
	if j.Kind == retried && p.output == answers { // no framework says how often it tried
		want("retry_count", numbers(e.RetryCount), []int64{int64(tries - 1)})
	}
	a := answerer{kind: j.Kind}
	if a.tools() {
		calls := e.Calls()
		if len(calls) != 1 || calls[0].Name != lookup || !strings.Contains(calls[0].Arguments.Text(), `p-`) {
			out = append(out, fmt.Sprintf("%d calls of tools", len(calls)))
		}
	} else {
		want("whether the answer is there", strings.Contains(e.Output.Reply(), "arrives on Monday."), true)
	}
	if p.output != its {
		for _, problem := range missing("output", sent, content(e.Output)) {
			if !lost(p, j, problem) {
				out = append(out, problem)
			}
		}
	}
	return out
}

// lost reports whether a field is known to get lost on the way to the event. What a client
// loses has no place here for longer than it takes to mend it.
func lost(p program, j job, problem string) bool {
	field, _, _ := strings.Cut(problem, " ")
	// go-openai's answer does not have it; its streams do.
	return field == "output.choices[0].message.annotations" && strings.HasPrefix(p.name, "go-openai") && j.Kind != streamed
}

// missing returns the paths of a provider's answer that an event does not have or has with
// another value. What is null may be absent.
func missing(path string, sent, got any) []string {
	switch sent := sent.(type) {
	case nil:
		return nil
	case object:
		got, ok := got.(object)
		if !ok {
			return []string{path + " is missing"}
		}
		var out []string
		for _, name := range slices.Sorted(maps.Keys(sent)) {
			out = append(out, missing(path+"."+name, sent[name], got[name])...)
		}
		return out
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(sent) {
			return []string{path + " is missing, or of another length"}
		}
		var out []string
		for i := range sent {
			out = append(out, missing(fmt.Sprintf("%s[%d]", path, i), sent[i], got[i])...)
		}
		return out
	}
	if !reflect.DeepEqual(sent, got) {
		return []string{fmt.Sprintf("%s is %v, sent was %v", path, got, sent)}
	}
	return nil
}

func numbers(pointers ...*int64) []int64 {
	var out []int64
	for _, p := range pointers {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out
}

func traceOf(e *event.Event) string { return part(e, 1) }

func spanOf(e *event.Event) string { return part(e, 2) }

// part returns a part of an event's traceparent.
func part(e *event.Event, n int) string {
	parts := strings.Split(e.TraceContext["traceparent"], "-")
	if n >= len(parts) {
		return ""
	}
	return parts[n]
}
