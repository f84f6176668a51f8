//go:build go1.26

package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// logLines is a handler that keeps the lines of a log.
type logLines struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *logLines) Enabled(context.Context, slog.Level) bool { return true }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logLines) WithGroup(string) slog.Handler            { return l }
func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "error" && a.Key != "stack" {
			text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, text)
	return nil
}

// with returns the lines that have a text in them.
func (l *logLines) with(text string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			out = append(out, line)
		}
	}
	return out
}

func TestCloseLastsAsLongAsItMay(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		limit time.Duration // CloseTimeout
		until time.Duration // deadline; zero: none
		want  time.Duration
	}{
		"no deadline":                     {context.Background(), 0, 0, 10 * time.Second},
		"cancelled":                       {cancelled, 0, 0, 10 * time.Second},
		"cancelled, with a limit":         {cancelled, 3 * time.Second, 0, 3 * time.Second},
		"cancelled, with a deadline":      {cancelled, 0, time.Second, time.Second},
		"a deadline later than the limit": {context.Background(), time.Second, 20 * time.Second, 20 * time.Second},
		"a deadline that has passed":      {context.Background(), 0, -time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limit := c.limit
				if limit == 0 {
					limit = DefaultConfig().CloseTimeout
				}
				e := emitterOn(t, &cluster{answer: func([]record) kafka.Error { return kafka.NotEnoughReplicas }}, Config{CloseTimeout: limit})
				if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
					t.Fatal(err)
				}
				ctx := c.ctx
				if c.until != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.until)
					defer cancel()
				}
				began := time.Now()
				var unsent *UnsentError
				if err := e.Close(ctx); !errors.As(err, &unsent) || unsent.Count != 1 {
					t.Errorf("Close = %v", err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("Close took %v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestTroubleIsToldAndEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const outage = 150 * time.Second
		log := &logLines{}
		began := time.Now()
		e := emitterOn(t, &cluster{answer: func([]record) kafka.Error {
			if time.Since(began) < outage {
				return kafka.NotEnoughReplicas
			}
			return 0
		}}, Config{Logger: slog.New(log), RetryFor: time.Hour})
		if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if s := e.Stats(); !errors.Is(e.Err(), kafka.NotEnoughReplicas) || s.LastError == nil || s.FailingSince.Sub(began) > time.Second || s.Retries < 5 {
			t.Errorf("during the trouble: Err = %v, Stats = %+v", e.Err(), s)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := e.Stats(); e.Err() != nil || !errors.Is(s.LastError, kafka.NotEnoughReplicas) || !s.FailingSince.IsZero() || s.LastErrorAt.Sub(began) > outage {
			t.Errorf("after it: Err = %v, Stats = %+v", e.Err(), s)
		}
		if n := len(log.with("WARN events are not written to Kafka count=")); n != 3 {
			t.Errorf("%d lines about a trouble of %v, want one at once and one a minute:\n%s", n, outage, strings.Join(log.lines, "\n"))
		}
		if n := len(log.with("INFO events are written to Kafka again failing_since=")); n != 1 || len(log.lines) != 4 {
			t.Errorf("the lines are\n%s", strings.Join(log.lines, "\n"))
		}
	})
}

func TestDropsAndRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &logLines{}
		c := &cluster{answer: takes}
		c.away.Store(true)
		e := emitterOn(t, c, Config{Logger: slog.New(log), BufferEvents: 1, MaxAttempts: 1})
		for range 20 {
			_ = e.Emit(t.Context(), event.Event{Output: event.Text("of a user")})
		}
		for range 20 {
			_ = e.Emit(t.Context(), event.Event{RequestID: "a", Output: event.Text("of a user")})
		}
		if err := e.Close(t.Context()); err == nil {
			t.Error("Close without a broker is no error")
		}
		dropped, refused, lost := log.with("WARN events are dropped"), log.with("WARN events are refused"), log.with("ERROR events were given up count=1")
		// The first of each at once, and the others at the end.
		if len(dropped) != 2 || len(lost) != 1 || len(refused) != 2 || !strings.Contains(dropped[1], "count=18 ") || !strings.Contains(refused[1], "count=19 ") {
			t.Errorf("the lines are\n%s", strings.Join(log.lines, "\n"))
		}
		if len(log.with("of a user")) > 0 {
			t.Error("the log holds content")
		}
	})
}

// TestARefusalForGoodIsATrouble: events that the brokers refuse at the first attempt, for a
// reason that holds for each, are not written either, until one is.
func TestARefusalForGoodIsATrouble(t *testing.T) {
	t.Parallel()
	for code, isTrouble := range map[kafka.Error]bool{
		kafka.UnsupportedCompressionType: true,
		kafka.InvalidTopic:               true,
		kafka.MessageSizeTooLarge:        false, // the next event may be smaller
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{answer: func([]record) kafka.Error { return code }}
			log := &logLines{}
			e := emitterOn(t, c, Config{Logger: slog.New(log)})
			emit := func(id event.RequestID) {
				t.Helper()
				if err := e.Emit(t.Context(), event.Event{RequestID: id}); err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Second)
			}
			began := time.Now()
			emit("a")
			emit("b")
			if s := e.Stats(); errors.Is(e.Err(), code) != isTrouble || s.FailingSince.IsZero() == isTrouble || s.FailingSince.Sub(began) > time.Second || s.Unsent != 2 {
				t.Errorf("%v: Err = %v, Stats = %+v", code, e.Err(), s)
			}
			c.answer = takes
			emit("c")
			if s := e.Stats(); e.Err() != nil || !s.FailingSince.IsZero() || s.Sent != 1 || (len(log.with("INFO events are written to Kafka again")) == 1) != isTrouble {
				t.Errorf("%v, and then written: Err = %v, Stats = %+v\n%s", code, e.Err(), s, strings.Join(log.lines, "\n"))
			}
		})
	}
}

func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{answer: takes}
		log := &logLines{}
		e := emitterOn(t, c, Config{Logger: slog.New(log), TraceContext: func(context.Context) map[string]string { panic("of a tracer") }})
		if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
			t.Errorf("Emit = %v", err)
		}
		if err := e.Close(t.Context()); err != nil || len(c.took) != 1 {
			t.Errorf("Close = %v, %d events arrived", err, len(c.took))
		}
		if n := e.Stats().Panics; n != 1 || len(log.with("function=TraceContext")) != 1 || len(log.with("of a tracer")) != 0 {
			t.Errorf("%d panics counted, the lines are\n%s", n, strings.Join(log.lines, "\n"))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := emitterOn(t, &cluster{answer: takes}, Config{Logger: slog.New(panics{&logLines{}})})
		if err := e.Emit(t.Context(), event.Event{}); err == nil {
			t.Error("an event without an id is no error")
		}
		if n := e.Stats().Panics; n != 1 {
			t.Errorf("%d panics of the logger counted", n)
		}
	})
}

type panics struct{ *logLines }

func (panics) Handle(context.Context, slog.Record) error { panic("of a handler") }

// TestEmitRefusesWhatWorkersRefuse: an event that Emit accepts is one that a worker
// reads, at the bounds and beyond them.
func TestEmitRefusesWhatWorkersRefuse(t *testing.T) {
	t.Parallel()
	nested := func(depth int) event.Content {
		return event.JSON(json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth)))
	}
	headers := func(n int) event.TraceContext {
		out := event.TraceContext{}
		for i := range n {
			out[fmt.Sprint("h", i)] = "x"
		}
		return out
	}
	accepted := 0
	for name, ev := range map[string]event.Event{
		"nothing":              {},
		"unknown kind":         {RequestID: "a", Kind: "llm_request_started"},
		"deep":                 {Output: nested(event.MaxDepth - 1)},
		"too deep":             {Output: nested(event.MaxDepth)},
		"too deep a tool":      {Tools: nested(event.MaxDepth)},
		"deep arguments":       {ToolCalls: []event.ToolCall{{Name: "f", Arguments: nested(event.MaxDepth - 3)}}},
		"too deep arguments":   {ToolCalls: []event.ToolCall{{Name: "f", Arguments: nested(event.MaxDepth - 2)}}},
		"too deep a result":    {ToolCalls: []event.ToolCall{{Name: "f", Result: nested(event.MaxDepth - 2)}}},
		"brackets in a text":   {Output: event.Text(strings.Repeat("[{", 1000))},
		"many brackets":        {Output: event.JSON(json.RawMessage("[" + strings.Repeat("[],", 1000) + "1]"))},
		"most calls":           {ToolCalls: make([]event.ToolCall, event.MaxItems)},
		"too many calls":       {ToolCalls: make([]event.ToolCall, event.MaxItems+1)},
		"most passages":        {Retrieval: &event.Retrieval{Chunks: make([]event.Chunk, event.MaxItems)}},
		"too many passages":    {Retrieval: &event.Retrieval{Chunks: make([]event.Chunk, event.MaxItems+1)}},
		"too many headers":     {TraceContext: headers(event.MaxItems + 1)},
		"many headers":         {TraceContext: headers(event.MaxItems)},
		"not a number":         {LatencyMS: new(math.NaN()), EstimatedCostUSD: new(math.Inf(1))},
		"a year that is wrong": {OccurredAt: time.Date(20260, 1, 1, 0, 0, 0, 0, time.UTC)},
		"not UTF-8":            {Feature: "a\xffb", Output: event.JSON(json.RawMessage("\"a\xff\"")), Input: event.Text("\xfe")},
	} {
		if ev.RequestID == "" && name != "nothing" {
			ev.RequestID = "a"
		}
		e := unstarted(Config{MaxEventBytes: 10 << 20})
		err := e.Emit(t.Context(), ev)
		e.complete(t.Context(), &ev)
		body := appendEvent(nil, &ev)
		read, refused := event.Decode(body)
		if (err == nil) != (refused == nil) {
			t.Errorf("%s: Emit = %v, a worker: %v", name, err, refused)
		}
		if err == nil {
			accepted++
			m := e.take(1, math.MaxInt)[0]
			if !utf8.Valid(m.value) || len(read.Ignored()) > 0 {
				t.Errorf("%s: the body is not UTF-8, or a worker leaves out %q", name, read.Ignored())
			}
			if env, ok := event.EnvelopeFromHeaders(m.headers); !ok || env != read.Envelope() {
				t.Errorf("%s: the headers say %+v, the body %+v", name, env, read.Envelope())
			}
		}
	}
	if accepted != 10 {
		t.Errorf("%d events are accepted, want 10", accepted)
	}
}

// unstarted returns an emitter whose goroutines do not run, so that it only queues.
func unstarted(cfg Config) *Emitter {
	cfg.Brokers = []string{"127.0.0.1:1"}
	cfg = cfg.withDefaults()
	return &Emitter{cfg: cfg, topic: newTopicClient(cfg), wake: make(chan struct{}, 1)}
}
