package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// BenchmarkDecodeUsual decodes events as an application publishes them, of two sizes.
func BenchmarkDecodeUsual(b *testing.B) {
	for name, size := range map[string]int{"2KB": 2 << 10, "32KB": 32 << 10} {
		data, err := json.Marshal(event.Event{
			Kind: event.KindRequestCompleted, RequestID: "req_1", Service: "support", Environment: "prod", Feature: "support_agent",
			PromptName: "triage", PromptVersion: "3", Provider: "openai", Model: "m", Status: "success", FinishReason: "stop",
			InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.5), EstimatedCostUSD: new(0.0098),
			TraceContext: event.TraceContext{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			Retrieval:    &event.Retrieval{Index: "help", TopScore: new(0.8), Chunks: []event.Chunk{{ID: "c1", Text: strings.Repeat("passage ", size/32)}}},
			Input:        event.Text(strings.Repeat("question ", size/36)), Output: event.Text(strings.Repeat("answer ", size/28)),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := event.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
