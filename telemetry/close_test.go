package telemetry_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
	"github.com/evalworker/evalworker/telemetry"
)

// blockingLog is a log that blocks the goroutine that writes into it.
type blockingLog struct {
	slog.Handler
	entered chan struct{}
	open    chan struct{}
}

func newBlockingLog() blockingLog {
	return blockingLog{slog.DiscardHandler, make(chan struct{}, 100), make(chan struct{})}
}

func (blockingLog) Enabled(context.Context, slog.Level) bool { return true }

func (g blockingLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "event evaluated" {
		g.entered <- struct{}{}
		<-g.open
	}
	return nil
}

// TestQueueFull: reports beyond the queue are dropped and counted, the caller
// goes on, and events are counted anyway.
func TestQueueFull(t *testing.T) {
	clearEnv(t)
	g := newBlockingLog()
	s := startWith(t, slog.New(g), func(c *telemetry.Config) { c.Queue = 2 })
	s.Report(report(nil))
	<-g.entered // the queue's goroutine is blocked; the queue is empty
	for range 5 {
		s.Report(report(nil))
	}
	stats := s.Stats()
	if stats.Queued != 2 || stats.QueueCapacity != 2 || stats.Dropped(telemetry.SinkReports) != 3 || stats.Events[eval.DispositionEvaluated] != 6 {
		t.Errorf("stats = %+v, want 2 queued, 3 dropped of 6", stats)
	}
	close(g.open)
	s.end(t)
	s.Report(report(nil)) // too late
	if got := s.Stats().Drops; len(got) != 2 || got[0] != (telemetry.Drop{Sink: telemetry.SinkReports, Reason: "closed", Count: 1}) {
		t.Errorf("drops = %+v", got)
	}
	for _, tt := range []struct {
		name string
		tags []string
		want float64
	}{
		{"evalworker.events", []string{"outcome:evaluated"}, 6},
		{"evalworker.dropped", []string{"sink:reports", "reason:queue_full"}, 3},
		{"llm.eval.count", nil, 3},
	} {
		if got := s.statsd.Sum(tt.name, tt.tags...); got != tt.want {
			t.Errorf("%s%v = %v, want %v", tt.name, tt.tags, got, tt.want)
		}
	}
	if got := len(s.agent.Named("eval.run")); got != 3 {
		t.Errorf("%d runs, want 3", got)
	}
}

// TestCloseAbandonsReports: a caller that has no time left gets the number of
// abandoned reports, which do not reach the tracer of the next Telemetry.
func TestCloseAbandonsReports(t *testing.T) {
	clearEnv(t)
	g := newBlockingLog()
	s := startWith(t, slog.New(g), nil)
	for range 4 {
		s.Report(report(nil))
	}
	<-g.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Close(ctx)
	close(g.open)
	if err == nil || !strings.Contains(err.Error(), "3 queued reports abandoned") {
		t.Errorf("close: %v", err)
	}
	free(t)
	if n := len(g.entered); n > 0 {
		t.Errorf("%d abandoned reports were sent all the same", n)
	}
}

// free waits until another Telemetry may start, because the previous one has ended.
func free(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cfg := telemetry.DefaultConfig()
	cfg.AgentURL, cfg.DogStatsDURL = datadog.Agent(t).URL, datadog.StatsD(t).Address
	for {
		tel, err := telemetry.New(cfg, telemetry.Deps{Log: discard()})
		if err == nil {
			if err := tel.Close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
			return
		}
		select { // the vendor's tracer says nowhere that it has stopped
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the tracer does not end: %v", err)
		}
	}
}

// hungAgent takes payloads and never answers, until the test ends.
func hungAgent(t *testing.T) string {
	t.Helper()
	end := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/info" {
			_, _ = w.Write([]byte(`{"endpoints":["/v0.4/traces"]}`))
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		close(end)
		srv.Close()
	})
	return srv.URL
}

// hungSocket is a DogStatsD socket that is not read until release.
func hungSocket(t *testing.T) (address string, release func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dsd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(t.Context(), "unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	t.Cleanup(func() {
		_ = conn.Close()
		reader.Wait()
	})
	return "unix://" + path, func() {
		reader.Go(func() {
			buf := make([]byte, 1<<16)
			for {
				if _, _, err := conn.ReadFrom(buf); err != nil {
					return
				}
			}
		})
	}
}

// TestCloseIsBounded: neither a hung trace agent nor a hung DogStatsD holds Close
// longer than it may take. Left alone the two libraries take a minute here.
func TestCloseIsBounded(t *testing.T) {
	clearEnv(t)
	address, release := hungSocket(t)
	s := startWith(t, discard(), func(c *telemetry.Config) {
		c.AgentURL, c.DogStatsDURL = hungAgent(t), address
		c.CloseTimeout, c.MaxTagValues, c.Queue = 3*time.Second, 100_000, 10_000
	})
	for i := range 6_000 { // 18,000 series: hundreds of payloads, each of which may take 100 ms to fail
		s.Report(report(func(r *eval.Report) { r.Event.PromptVersion = fmt.Sprint(i) }))
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	select {
	case err := <-closed:
		if err == nil {
			t.Fatal("close: nil, want what was abandoned")
		}
		for _, want := range []string{"traces abandoned: the trace agent does not accept them", "metrics abandoned"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("close: %v, want it to say %q", err, want)
			}
		}
	case <-time.After(20 * time.Second):
		t.Error("close does not end")
	}
	release()
	free(t) // the tracer has ended: it was cancelled, not left behind
}

// TestRefusingAgent: lost traces are counted by reason and lose no metric.
func TestRefusingAgent(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(srv.Close)
	s := start(t, func(c *telemetry.Config) { c.AgentURL = srv.URL })
	for range 7 {
		s.Report(report(nil))
	}
	err := s.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), "7 traces abandoned") {
		t.Errorf("close: %v", err)
	}
	if !s.statsd.Drain(t.Context()) {
		t.Fatal("metrics did not arrive")
	}
	if got := s.statsd.Sum("evalworker.dropped", "sink:traces", "reason:send_failed"); got != 7 {
		t.Errorf("evalworker.dropped = %v, want 7; stats %+v", got, s.Stats())
	}
	if got := s.statsd.Sum("llm.eval.count"); got != 7 {
		t.Errorf("llm.eval.count = %v, want 7", got)
	}
}

// TestPanic: a report that causes a panic is dropped, and only that one.
func TestPanic(t *testing.T) {
	s := start(t, nil)
	s.Report(&eval.Report{}) // no event
	s.Report(report(nil))
	s.end(t)
	if got := s.statsd.Sum("evalworker.dropped", "sink:reports", "reason:panic"); got != 1 {
		t.Errorf("evalworker.dropped = %v, want 1; stats %+v", got, s.Stats())
	}
	if got := s.statsd.Sum("llm.eval.count"); got != 1 {
		t.Errorf("llm.eval.count = %v, want 1", got)
	}
}

// TestTracingOff: DD_TRACE_ENABLED=false leaves the metrics.
func TestTracingOff(t *testing.T) {
	clearEnv(t)
	t.Setenv("DD_TRACE_ENABLED", "false")
	s := startWith(t, discard(), nil)
	s.Report(report(func(r *eval.Report) {
		failing(r)
		r.Event.TraceContext = headers("1")
		r.Verdicts = append(r.Verdicts, verdict("reply_format", eval.TypeJSONSchema, eval.OutcomePass, 1))
	}))
	s.end(t)
	if s.statsd.Sum("llm.eval.count") != 2 || s.Stats().Dropped(telemetry.SinkReports) != 0 || len(s.agent.Spans()) != 0 {
		t.Errorf("metrics %v, stats %+v, %d spans", s.statsd.Metrics(), s.Stats(), len(s.agent.Spans()))
	}
}

// TestUnreachableStatsD: a missing socket is not an error, and its losses are counted.
func TestUnreachableStatsD(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.DogStatsDURL = "unix:///nowhere/dsd.socket" })
	s.Report(report(nil))
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if got := s.Stats().Dropped(telemetry.SinkDogStatsD); got == 0 {
		t.Errorf("stats = %+v, want losses of DogStatsD", s.Stats())
	}
	if got := len(s.agent.Named("eval.run")); got != 1 {
		t.Errorf("%d runs, want 1", got)
	}
}

// TestConcurrent: reports from many goroutines against a close lose nothing that
// is not counted.
func TestConcurrent(t *testing.T) {
	s := start(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s.Report(report(nil))
				s.Skipped(eval.DispositionSampledOut, 1)
				s.JudgeCall(telemetry.JudgeCall{Eval: "e", Model: "m", InputTokens: 1})
				s.Lag(1, 1, 1)
				_ = s.Stats()
			}
		})
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	wg.Wait()
	if !s.statsd.Drain(t.Context()) {
		t.Fatal("metrics did not arrive")
	}
	stats := s.Stats()
	if sent := int64(s.statsd.Sum("llm.eval.count")); sent+stats.Dropped(telemetry.SinkReports) != 1600 || stats.Events[eval.DispositionEvaluated] != 1600 {
		t.Errorf("%d sent and %d dropped of 1600; stats %+v", sent, stats.Dropped(telemetry.SinkReports), stats)
	}
}
