package emitter_test

import (
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
