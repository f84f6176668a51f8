//go:build go1.26 && unix && !race

package emitter

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/event"
)

// BenchmarkEmit compares what Emit costs a request, from the strings that it has, with
// json.Marshal of a plain struct of the same strings, in turn; ratio is the first to the
// second, of the CPU time with that of the garbage collector. Nothing is sent: the queue
// is emptied from time to time.
func BenchmarkEmit(b *testing.B) {
	for _, size := range []int{1500, 32000} {
		answer := strings.Repeat("an answer ", size/10)
		b.Run(fmt.Sprintf("%dKB", (size+999)/1000), func(b *testing.B) {
			e := unstarted(Config{BufferBytes: 1 << 30})
			var emitting, marshalling time.Duration
			const turn = 100
			for n := 0; b.Loop(); n++ { // each step is a turn of both
				began := cpuTime(b)
				for range turn {
					if err := e.Emit(b.Context(), sample(answer)); err != nil {
						b.Fatal(err)
					}
				}
				e.settle(e.take(math.MaxInt, math.MaxInt), nil)
				between := cpuTime(b)
				for range turn {
					if _, err := json.Marshal(plainSample(answer)); err != nil {
						b.Fatal(err)
					}
				}
				emitting, marshalling = emitting+between-began, marshalling+cpuTime(b)-between
			}
			calls := float64(turn * b.N)
			b.ReportMetric(float64(emitting)/float64(marshalling), "ratio")
			b.ReportMetric(float64(emitting.Nanoseconds())/calls, "ns/emit")
			b.ReportMetric(float64(marshalling.Nanoseconds())/calls, "ns/marshal")
		})
	}
	b.Run("full", func(b *testing.B) {
		e := unstarted(Config{BufferEvents: 1})
		ev := sample("an answer")
		if err := e.Emit(b.Context(), ev); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := e.Emit(b.Context(), ev); !errors.Is(err, ErrFull) {
				b.Fatal(err)
			}
		}
	})
}

// TestEmitAllocatesLittle: the garbage of each event is part of what a request pays. It
// runs alone, because others allocate as well, and not under the race detector, where
// pools keep only some of what they are given.
func TestEmitAllocatesLittle(t *testing.T) {
	e := unstarted(Config{})
	ev := sample(strings.Repeat("an answer ", 150))
	ctx := t.Context()
	n := testing.AllocsPerRun(500, func() {
		if err := e.Emit(ctx, ev); err != nil {
			t.Fatal(err)
		}
	})
	if n > 6 { // the body, the trace's id, the headers and their values; a queue that grows
		t.Errorf("Emit allocates %v objects", n)
	}
}

func sample(answer string) event.Event {
	return event.Event{
		RequestID: "req_9f3a", TraceID: "123456789", Feature: "support_agent", PromptName: "support_triage",
		PromptVersion: "2026-06-01.3", Provider: "anthropic", Model: "claude-sonnet-4", Status: "success",
		InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.0),
		Output: event.Text(answer),
	}
}

// plain is an event as an application would write it without this package.
type plain struct {
	Event         string    `json:"event"`
	RequestID     string    `json:"request_id"`
	OccurredAt    time.Time `json:"occurred_at"`
	TraceID       string    `json:"trace_id,omitempty"`
	Feature       string    `json:"feature,omitempty"`
	PromptName    string    `json:"prompt_name,omitempty"`
	PromptVersion string    `json:"prompt_version,omitempty"`
	Provider      string    `json:"provider,omitempty"`
	Model         string    `json:"model,omitempty"`
	Status        string    `json:"status,omitempty"`
	InputTokens   int64     `json:"input_tokens,omitempty"`
	OutputTokens  int64     `json:"output_tokens,omitempty"`
	LatencyMS     float64   `json:"llm_latency_ms,omitempty"`
	Output        string    `json:"output,omitempty"`
}

func plainSample(answer string) *plain {
	return &plain{
		Event: "llm_request_completed", RequestID: "req_9f3a", OccurredAt: time.Now(), TraceID: "123456789", Feature: "support_agent", PromptName: "support_triage",
		PromptVersion: "2026-06-01.3", Provider: "anthropic", Model: "claude-sonnet-4", Status: "success",
		InputTokens: 1840, OutputTokens: 312, LatencyMS: 1430, Output: answer,
	}
}

// cpuTime returns the CPU time of this process, which other processes on a busy machine
// do not lengthen.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
