package sidecar

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/sidecar/spool"
)

// BenchmarkPost measures a request from the handler to the disk, with 64 at once
// that share syncs; with one event each, and with a hundred.
func BenchmarkPost(b *testing.B) {
	one := `{"event":"llm_request_completed","request_id":"req_9f3a","trace_id":"123456789","feature":"support_agent","model":"claude-sonnet-4",` +
		`"output":"` + strings.Repeat("an answer ", 150) + `"}`
	for name, body := range map[string]string{"1 event": one, "100 events": strings.Repeat(one+"\n", 100)} {
		b.Run(name, func(b *testing.B) {
			w := build(b, Config{Concurrency: 1000}, spool.Config{MaxBytes: 8 << 30})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.forward.run(ctx) // or the disk fills
			}()
			h := w.handler()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					rec := httptest.NewRecorder()
					h.ServeHTTP(rec, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "http://localhost/v1/events", strings.NewReader(body)))
					if rec.Code != http.StatusAccepted {
						b.Errorf("%d %s", rec.Code, rec.Body)
						return
					}
				}
			})
			b.StopTimer()
			cancel()
			<-done
		})
	}
}

// BenchmarkParse measures what a body costs before it is stored: with events that have
// our names only, with a member of the application's own in each, and with a whole
// response of a provider.
func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("an answer ", 150)
	for name, members := range map[string]string{
		"own names": `"feature":"support_agent","model":"claude-sonnet-4","output":"` + text + `"`,
		"unknown":   `"feature":"support_agent","model":"claude-sonnet-4","team":"a","output":"` + text + `"`,
		"response":  `"feature":"support_agent","response":{"model":"m","role":"assistant","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":7}}`,
	} {
		b.Run(name, func(b *testing.B) {
			w := build(b, Config{}, spool.Config{})
			body := []byte(`{"event":"llm_request_completed","request_id":"r","trace_id":"123456789",` + members + `}`)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if c := w.parse(body, true); len(c.values) != 1 {
					b.Fatal(c.faults)
				}
			}
		})
	}
}
