package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/conformance"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// testContentStaysIn: no word of content occurs in a span, a metric or a log
// line. Its presence where content may go shows that it was planted.
func (p *performance) testContentStaysIn(t *testing.T) {
	contains := func(text string) bool { return strings.Contains(strings.ToLower(text), conformance.Canary) }
	for _, s := range p.agent.Spans() {
		if text := fmt.Sprintf("%+v", s); contains(text) {
			t.Errorf("content in a span: %s", text)
		}
	}
	for _, m := range p.statsd.Metrics() {
		if text := fmt.Sprintf("%+v", m); contains(text) {
			t.Errorf("content in a metric: %s", text)
		}
	}
	for line := range strings.Lines(p.log.text()) {
		if contains(line) {
			t.Errorf("content in the log: %s", line)
		}
	}
	status, err := json.Marshal(p.status)
	if err != nil {
		t.Fatal(err)
	}
	if contains(string(status)) {
		t.Errorf("content in the status: %s", status)
	}
	asked := strings.Join(p.model.asked(), "\n")
	for _, place := range []string{"input", "output", "expected", "chunk", "argument", "result"} {
		if !strings.Contains(asked, word(place)) {
			t.Errorf("no judge was shown %s: nothing was planted", word(place))
		}
		if !strings.Contains(p.database, word(place)) {
			t.Errorf("no case holds %s: nothing was planted", word(place))
		}
	}
	if !strings.Contains(p.database, word("reason")) {
		t.Error("no case holds what a judge said: nothing was planted")
	}
}

// testSecretsStayIn: secrets and personal data reach no judge and no byte of the
// store, neither while the worker runs nor after.
func (p *performance) testSecretsStayIn(t *testing.T) {
	asked := strings.Join(p.model.asked(), "\n")
	places := map[string]string{"a judge's request": asked, "the store": p.database, "the log": p.log.text()}
	for _, s := range p.agent.Spans() {
		places["a span"] += fmt.Sprintf("%+v", s)
	}
	for kind, text := range planted() {
		for place, held := range places {
			if strings.Contains(held, text) {
				t.Errorf("%s stands in %s", kind, place)
			}
		}
	}
	for _, mark := range []string{"[EMAIL]", "[AWS_ACCESS_KEY]", "[GITHUB_TOKEN]", "[CREDIT_CARD]"} {
		if !strings.Contains(asked, mark) || !strings.Contains(p.database, mark) {
			t.Errorf("%s does not stand where something was taken out", mark)
		}
	}
}

// testLog: each line is one JSON object without duplicate keys, and lines about an
// evaluated event carry the ids of its span.
func (p *performance) testLog(t *testing.T) {
	lines, tied := 0, 0
	runs := map[string]datadog.Span{}
	for _, s := range p.agent.Named(spanRun) {
		runs[s.Meta["request_id"]] = s
	}
	for line := range strings.Lines(p.log.text()) {
		lines++
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("%v: %s", err, line)
			continue
		}
		for key := range fields {
			if strings.Count(line, fmt.Sprintf("%q:", key)) > 1 {
				t.Errorf("%s stands twice in %s", key, line)
			}
		}
		for _, key := range []string{"time", "level", "msg"} {
			if fields[key] == nil {
				t.Errorf("no %s in %s", key, line)
			}
		}
		if fields["msg"] != "event evaluated" {
			continue
		}
		tied++
		run := runs[fmt.Sprint(fields["request_id"])]
		if id := fmt.Sprint(fields["dd.span_id"]); id != fmt.Sprint(run.SpanID) {
			t.Errorf("dd.span_id %s, want %d: %s", id, run.SpanID, line)
		}
		if trace := fmt.Sprint(fields["dd.trace_id"]); !strings.HasSuffix(trace, fmt.Sprintf("%016x", run.TraceID)) && trace != fmt.Sprint(run.TraceID) {
			t.Errorf("dd.trace_id %s, want that of trace %016x: %s", trace, run.TraceID, line)
		}
	}
	if tied != len(p.scenesWanted()) {
		t.Errorf("%d lines about evaluated events, want %d", tied, len(p.scenesWanted()))
	}
	for _, s := range p.scenes {
		for _, answer := range s.want {
			if reason, failed := strings.CutPrefix(answer, "error: "); failed && !p.logged("evaluation failed", string(s.id), reason) {
				t.Errorf("no line says that the judge failed on %s: %s", s.id, reason)
			}
		}
		if s.dead != "" && p.logged("evaluation failed", string(s.id), "") {
			t.Errorf("%s was judged", s.id)
		}
	}
	for _, want := range []string{"worker starts", "worker stopped", "closed"} {
		if !strings.Contains(p.log.text(), want) {
			t.Errorf("no line %q among %d", want, lines)
		}
	}
}

// logged reports whether a line is about a request and names a reason.
func (p *performance) logged(msg, id, reason string) bool {
	for line := range strings.Lines(p.log.text()) {
		var fields struct {
			Msg       string          `json:"msg"`
			RequestID event.RequestID `json:"request_id"`
			Reason    string          `json:"reason"`
		}
		if json.Unmarshal([]byte(line), &fields) == nil && fields.Msg == msg && string(fields.RequestID) == id && (reason == "" || fields.Reason == reason) {
			return true
		}
	}
	return false
}
