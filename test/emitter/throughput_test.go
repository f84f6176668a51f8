package emitter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// BenchmarkThroughput writes 2 KB events to the embedded broker, which shares
// the processor with the emitter.
func BenchmarkThroughput(b *testing.B) {
	broker := startBroker(b, broker.Config{Topics: map[string]int32{topic: 8}})
	for _, compression := range []string{"none", "snappy", "zstd"} {
		b.Run(compression, func(b *testing.B) {
			e := newEmitter(b, emitter.Config{Brokers: []string{broker.Addr()}, Topic: topic, Block: true, Compression: compression})
			ev := event.Event{RequestID: "req_9f3a", Feature: "support_agent", Output: event.Text(strings.Repeat("It arrives tomorrow. ", 85))}
			b.ReportAllocs()
			began := time.Now() // the flush counts, which the benchmark's own clock leaves out
			for b.Loop() {
				if err := e.Emit(b.Context(), ev); err != nil {
					b.Fatal(err)
				}
			}
			if err := e.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
		})
	}
}

// BenchmarkEmitWhileKafkaIsDown compares the time of Emit, as the median of single calls,
// while a broker writes the events, while there is none and they are given up, and while
// the buffer is full.
func BenchmarkEmitWhileKafkaIsDown(b *testing.B) {
	up := startBroker(b, broker.Config{Topics: map[string]int32{topic: 8}}).Addr()
	full := quick("127.0.0.1:1")
	full.MaxAttempts, full.BufferEvents = 1_000_000, 1
	states := []struct {
		unit string
		e    *emitter.Emitter
	}{
		{"ns/up", newEmitter(b, emitter.Config{Brokers: []string{up}, Topic: topic})},
		{"ns/down", newEmitter(b, quick("127.0.0.1:1"))},
		{"ns/full", newEmitter(b, full)},
	}
	times := make([][]time.Duration, len(states))
	ev := event.Event{RequestID: "req_9f3a", Feature: "support_agent", Output: event.Text(strings.Repeat("It arrives tomorrow. ", 85))}
	for b.Loop() {
		for i, s := range states {
			for range 100 {
				began := time.Now()
				err := s.e.Emit(b.Context(), ev)
				times[i] = append(times[i], time.Since(began))
				if err != nil && !errors.Is(err, emitter.ErrFull) {
					b.Fatal(err)
				}
			}
		}
		_ = states[0].e.Flush(b.Context()) // so that only the third buffer is full
		_ = states[1].e.Flush(b.Context())
	}
	for i, s := range states {
		slices.Sort(times[i])
		b.ReportMetric(float64(times[i][len(times[i])/2].Nanoseconds()), s.unit)
	}
}
