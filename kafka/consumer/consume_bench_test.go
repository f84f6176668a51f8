package consumer

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
)

// BenchmarkConsume reads 2 KB events of 8 partitions, of which one in a hundred is
// wanted, with a Consumer and with kafka-go's bare group Reader, both tuned alike. It
// reports the CPU time of this process for an event. On the embedded broker that
// includes the broker's, so only a run with KAFKA_BROKERS is meaningful.
func BenchmarkConsume(b *testing.B) {
	const events, partitions = 200_000, 8
	be := newTestbed(b, partitions)
	value := make([]byte, 2000)
	for id := range partitions {
		batch := make([]kafka.Message, events/partitions)
		for i := range batch {
			batch[i] = kafka.Message{Key: []byte("key"), Value: value}
			for h := range 14 {
				batch[i].Headers = append(batch[i].Headers, kafka.Header{Key: fmt.Sprint("header", h), Value: []byte("value")})
			}
		}
		be.publishMessages(id, batch...)
	}
	readers := map[string]func(group string, n int64){
		"consumer": func(group string, n int64) {
			cfg := be.cfg
			cfg.Group = group
			cfg.CommitInterval = 100 * time.Millisecond
			ctx, cancel := context.WithCancel(b.Context())
			var left atomic.Int64
			left.Store(n)
			done := func() {
				if left.Add(-1) == 0 {
					cancel()
				}
			}
			c, err := New(cfg, Deps{
				Handle: func(context.Context, event.Message) error { done(); return nil },
				Skip: func(m *event.Message) bool {
					if m.Offset%100 == 0 {
						return false
					}
					done()
					return true
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Run(ctx); err != nil {
				b.Fatal(err)
			}
		},
		"group reader": func(group string, n int64) {
			r := kafka.NewReader(kafka.ReaderConfig{
				Brokers: be.cfg.Brokers, Dialer: conn.NewConnector(be.cfg.Config).BufferedDialer(256 << 10), GroupID: group, Topic: be.cfg.Topic,
				QueueCapacity: 1000, MinBytes: 1, MaxBytes: fetchMaxBytes, MaxWait: be.cfg.FetchMaxWait, CommitInterval: 100 * time.Millisecond,
				StartOffset: kafka.FirstOffset,
			})
			defer r.Close()
			for range n {
				m, err := r.FetchMessage(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if m.Offset%100 == 0 {
					if err := r.CommitMessages(b.Context(), m); err != nil {
						b.Fatal(err)
					}
				}
			}
		},
	}
	for _, name := range []string{"consumer", "group reader"} {
		b.Run(name, func(b *testing.B) {
			n := 0
			cpu := cpuTime()
			for b.Loop() {
				n++
				readers[name](fmt.Sprintf("%s-%s-%d-%d", be.cfg.Group, name[:1], n, time.Now().UnixNano()), events)
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(n*events), "cpu-ns/event")
			b.ReportMetric(float64(n*events)/b.Elapsed().Seconds(), "events/s")
			runtime.GC()
		})
	}
}

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
