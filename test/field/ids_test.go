package field_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
	"github.com/evalworker/evalworker/telemetry"
)

// worker is the pipeline of a worker with its telemetry, of which a trace agent and a
// DogStatsD server of the test record what arrives.
type worker struct {
	*app.Offline
	telemetry *telemetry.Telemetry
	agent     *datadog.AgentSink
	statsd    *datadog.StatsDSink
}

func startWorker(t *testing.T, sampling string) *worker {
	t.Helper()
	for _, name := range []string{"DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_AGENT_HOST", "DD_TRACE_AGENT_URL", "DD_DOGSTATSD_URL", "DD_TAGS"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "evalworker.yaml")
	text := "sampling: " + sampling + "\nevaluators:\n  - {name: short, type: length, max_words: 3}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.URL = "sqlite:" + filepath.Join(dir, "cases.db")
	w := &worker{agent: datadog.Agent(t), statsd: datadog.StatsD(t)}
	tc := telemetry.DefaultConfig()
	tc.AgentURL, tc.DogStatsDURL = w.agent.URL, w.statsd.Address
	if w.telemetry, err = telemetry.New(tc, telemetry.Deps{Log: slog.New(slog.DiscardHandler), Version: "test", Seed: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.telemetry.Close(context.Background()) })
	if w.Offline, err = app.NewOffline(t.Context(), cfg, app.Deps{Log: slog.New(slog.DiscardHandler), Version: "test", Recorder: w.telemetry}); err != nil {
		t.Fatal(err)
	}
	return w
}

// take handles messages as the consumer does.
func (w *worker) take(t *testing.T, messages ...event.Message) {
	t.Helper()
	for i := range messages {
		if w.Pipeline().Skip(&messages[i]) {
			continue
		}
		if err := w.Pipeline().Handle(t.Context(), messages[i]); err != nil {
			t.Fatalf("%s: %v", messages[i].Value, err)
		}
	}
}

// end closes the worker and waits until everything has arrived.
func (w *worker) end(t *testing.T) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.telemetry.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if !w.statsd.Drain(ctx) {
		t.Fatal("metrics did not arrive")
	}
}

// TestIDsLink: from the bytes of a message to the span that the agent gets, ids link in
// whatever form and place they stand.
func TestIDsLink(t *testing.T) {
	const (
		hi, lo, span = 0x0af7651916cd43dd, 0x8448eb211c80319c, 0xb7ad6b7169203331
		parent       = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		other        = "00-1111111111111111aaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"
	)
	forms := []struct {
		fields, headers string
		hi              uint64
		reason          string // of an id that was not used
		none            bool
	}{
		{fields: `"trace_context":{"traceparent":"` + parent + `"}`, hi: hi},
		{fields: `"trace_context":{"x-datadog-trace-id":"9532127138774266268","x-datadog-parent-id":"13235353014750950193"}`},
		{fields: `"trace_context":{"x-datadog-trace-id":"9532127138774266268","x-datadog-parent-id":"13235353014750950193","x-datadog-sampling-priority":1},"trace_id":"0af7651916cd43dd8448eb211c80319c"`, hi: hi},
		{fields: `"trace_context":{"b3":"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"}`, hi: hi},
		{fields: `"trace_id":"0af76519-16cd-43dd-8448-eb211c80319c","span_id":"b7ad6b7169203331"`, hi: hi},
		{fields: `"trace_id":14576827793038113322513871894673895836,"span_id":13235353014750950193`, hi: hi},
		{fields: `"trace_id":"0x0af7651916cd43dd8448eb211c80319c","span_id":"0xb7ad6b7169203331"`, hi: hi},
		{fields: `"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"`, hi: hi},
		{fields: `"dd.trace_id":"9532127138774266268","dd.span_id":"13235353014750950193"`},
		{fields: `"dd":{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"13235353014750950193"}`, hi: hi},
		{fields: `"otelTraceID":"0af7651916cd43dd8448eb211c80319c","otelSpanID":"b7ad6b7169203331"`, hi: hi},
		{fields: `"trace":{"traceparent":"` + parent + `"}`, hi: hi},
		{fields: `"traceparent":"` + parent + `"`, hi: hi},
		{fields: `"X-B3-TraceId":"0af7651916cd43dd8448eb211c80319c","X-B3-SpanId":"b7ad6b7169203331"`, hi: hi},
		{fields: `"headers":{"Traceparent":["` + parent + `"]}`, hi: hi},
		{fields: `"trace_headers":{"x-datadog-trace-id":["9532127138774266268"],"x-datadog-parent-id":["13235353014750950193"],"x-datadog-tags":"_dd.p.tid=0af7651916cd43dd"}`, hi: hi},
		{headers: "traceparent=" + parent, hi: hi},
		{headers: "Traceparent=" + parent + "\ntracestate=dd=s:1", hi: hi},
		{headers: "x-datadog-trace-id=9532127138774266268\nx-datadog-parent-id=13235353014750950193\nx-datadog-tags=_dd.p.tid=0af7651916cd43dd", hi: hi},
		{headers: "b3=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", hi: hi},
		{headers: "X-B3-TraceId=8448eb211c80319c\nX-B3-SpanId=b7ad6b7169203331"},
		{headers: "event=llm_request_completed\nrequest_id=ID\ntrace_id=\ntraceparent=" + parent, hi: hi},
		{fields: `"trace_id":"9532127138774266268"`, headers: "traceparent=" + parent, hi: hi},
		{fields: `"trace_context":{"traceparent":"` + parent + `"}`, headers: "traceparent=" + other, hi: hi, reason: "differs"},
		{fields: `"trace_id":"chat-7"`, headers: "traceparent=" + parent, hi: hi, reason: "trace_malformed"},
		{fields: `"feature":"a"`, none: true, reason: "absent"},
		{fields: `"dd.trace_id":"0","dd.span_id":"0"`, none: true, reason: "zero"},
		{fields: `"trace_id":"chat-7","span_id":"1"`, none: true, reason: "trace_malformed"},
		{fields: `"trace_id":"9532127138774266268"`, none: true, reason: "span_missing"},
		{fields: `"trace_id":"9532127138774266268","span_id":"step 2"`, none: true, reason: "span_malformed"},
	}
	w := startWorker(t, "{default_rate: 1}")
	reasons := map[string]float64{}
	for i, f := range forms {
		id := fmt.Sprint("r", i)
		value := fmt.Sprintf(`{"event":"llm_request_completed","request_id":%q,"output":"a b c","team":1,%s`, id, f.fields)
		m := event.Message{Value: []byte(strings.TrimSuffix(value, ",") + "}")}
		for line := range strings.SplitSeq(f.headers, "\n") {
			if key, v, ok := strings.Cut(strings.ReplaceAll(line, "ID", id), "="); ok {
				m.Headers = append(m.Headers, event.Header{Key: key, Value: []byte(v)})
			}
		}
		w.take(t, m)
		reasons[f.reason]++
	}
	w.end(t)
	for i, f := range forms {
		var links []datadog.SpanLink
		var run, score datadog.Span
		for _, s := range w.agent.Spans() {
			switch {
			case s.Meta["request_id"] != fmt.Sprint("r", i):
			case s.Name == "eval.run":
				links, run = s.Links, s
			case s.Name == "eval.score":
				score = s
			}
		}
		if score.Name == "" || score.ParentID != run.SpanID {
			t.Errorf("%s %s: no eval.score below the run", f.fields, f.headers)
		}
		if f.none {
			if len(links) != 0 || score.Meta["llm.trace_id"] != "" {
				t.Errorf("%s: links %v", f.fields, links)
			}
			continue
		}
		if len(links) != 1 || links[0].TraceID != lo || links[0].TraceIDHi != f.hi || links[0].SpanID != span {
			t.Errorf("%s %s: links %+v", f.fields, f.headers, links)
		}
		if want := fmt.Sprintf("%016x%016x", f.hi, uint64(lo)); score.Meta["llm.trace_id"] != want || score.Meta["llm.span_id"] != strconv.FormatUint(span, 10) {
			t.Errorf("%s %s: score of trace %s, span %s", f.fields, f.headers, score.Meta["llm.trace_id"], score.Meta["llm.span_id"])
		}
	}
	if n := w.statsd.Sum("evalworker.links"); n != float64(len(forms)) {
		t.Errorf("evalworker.links counts %v of %d events", n, len(forms))
	}
	delete(reasons, "")
	for reason, want := range reasons {
		if got := w.statsd.Sum("evalworker.links", "reason:"+reason); got != want {
			t.Errorf("evalworker.links with reason %q: %v, want %v", reason, got, want)
		}
	}
}

// tracedByDatadog returns an event whose headers are those that Datadog's tracers inject
// at a rate of 10 %: the threshold and the randomness stand in tracestate also when the
// trace is dropped.
func tracedByDatadog(r *rand.Rand, id string, pass bool) (e event.Event, kept bool) {
	const (
		rate      = 0.1
		threshold = uint64(9 << 56 / 10)
	)
	trace, span := event.TraceID{Hi: r.Uint64() | 1, Lo: r.Uint64() | 1}, r.Uint64()|1
	hash := trace.Lo * 1111111111111111111
	kept = float64(hash) < rate*math.MaxUint64
	priority, flags := "-1", "00"
	if kept {
		priority, flags = "2", "01"
	}
	output := "It arrives on Monday morning."
	if pass {
		output = "On Monday."
	}
	return event.Event{
		Kind: event.KindRequestCompleted, RequestID: event.RequestID(id), OccurredAt: time.Now(), Output: event.Text(output),
		TraceContext: event.TraceContext{
			"x-datadog-trace-id": strconv.FormatUint(trace.Lo, 10), "x-datadog-parent-id": strconv.FormatUint(span, 10),
			"x-datadog-sampling-priority": priority, "x-datadog-tags": fmt.Sprintf("_dd.p.dm=-3,_dd.p.tid=%016x", trace.Hi),
			"traceparent": fmt.Sprintf("00-%s-%016x-%s", trace, span, flags),
			"tracestate":  fmt.Sprintf("dd=s:%s;p:%016x;t.dm:-3,ot=rv:%014x;th:%s", priority, span, ^hash>>8, strings.TrimRight(fmt.Sprintf("%014x", threshold), "0")),
		},
	}, kept
}

// TestWeightsOfTracedEvents: what a tracer writes about its own sampling changes no
// number where all events are published, and where only kept traces are, these stand for
// all.
func TestWeightsOfTracedEvents(t *testing.T) {
	const events = 1000
	for _, tt := range []struct {
		name, sampling string
		published      func(kept bool) bool
		tolerance      float64 // of the weighted count
	}{
		{"all are published", "{default_rate: 1}", func(bool) bool { return true }, 0},
		{"all are published, said so", "{default_rate: 1, upstream: none}", func(bool) bool { return true }, 0},
		// Four standard deviations of a binomial count, each of which weighs 10.
		{"kept traces are published", "{default_rate: 1, upstream: traces}", func(kept bool) bool { return kept }, 4 * 10 * math.Sqrt(events*0.1*0.9)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 13))
			w := startWorker(t, tt.sampling)
			var published, passing, kept float64
			for i := range events {
				pass := r.IntN(10) > 0
				e, isKept := tracedByDatadog(r, fmt.Sprint("r", i), pass)
				if isKept {
					kept++
				}
				if !tt.published(isKept) {
					continue
				}
				published++
				if pass {
					passing++
				}
				value, err := json.Marshal(&e)
				if err != nil {
					t.Fatal(err)
				}
				w.take(t, event.Message{Value: value, Headers: e.Headers()})
			}
			w.end(t)
			if kept < 60 || kept > 140 {
				t.Fatalf("the tracer keeps %g of %d", kept, events)
			}
			if n := w.statsd.Sum("llm.eval.count"); n != published {
				t.Fatalf("%g verdicts, %g published", n, published)
			}
			weighted := w.statsd.Sum("llm.eval.weighted")
			if math.Abs(weighted-events) > tt.tolerance {
				t.Errorf("the events weigh %g, want %d within %.0f", weighted, events, tt.tolerance)
			}
			rate := w.statsd.Sum("llm.eval.weighted", "outcome:pass") / weighted
			if truth := passing / published; math.Abs(rate-truth) > 0.001 {
				t.Errorf("pass rate %.4f, true %.4f", rate, truth)
			}
		})
	}
}
