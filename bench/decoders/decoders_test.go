// Package decoders compares JSON decoders on an event. It is a module of its
// own, so that the libraries that were not chosen do not become dependencies.
//
//	cd bench/decoders && go test -bench .
//	cd bench/decoders && GOEXPERIMENT=jsonv2 go test -bench encoding/json
package decoders

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bytedance/sonic"
	jsonv2 "github.com/go-json-experiment/json"
	goccy "github.com/goccy/go-json"

	"github.com/evalworker/evalworker/event"
)

func newEvent(b *testing.B, size int) []byte {
	b.Helper()
	e := event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req_1", Service: "support", Environment: "prod", Feature: "support_agent",
		PromptName: "triage", PromptVersion: "3", Provider: "openai", Model: "m", Status: "success", FinishReason: "stop",
		InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.5), EstimatedCostUSD: new(0.0098),
		TraceContext: event.TraceContext{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		Retrieval:    &event.Retrieval{Index: "help", TopScore: new(0.8), Chunks: []event.Chunk{{ID: "c1", Text: strings.Repeat("passage ", size/32)}}},
		Input:        event.Text(strings.Repeat("question ", size/36)), Output: event.Text(strings.Repeat("answer ", size/28)),
		ToolCalls: []event.ToolCall{{Name: "lookup", Arguments: event.JSON(json.RawMessage(`{"order":17}`)), Status: "success"}},
	}
	data, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkDecode(b *testing.B) {
	decoders := []struct {
		name string
		fn   func([]byte) error
	}{
		{"event.Decode", func(d []byte) error { _, err := event.Decode(d); return err }},
		{"encoding_json", func(d []byte) error { var e event.Event; return json.Unmarshal(d, &e) }},
		{"goccy_go-json", func(d []byte) error { var e event.Event; return goccy.Unmarshal(d, &e) }},
		{"bytedance_sonic", func(d []byte) error { var e event.Event; return sonic.ConfigStd.Unmarshal(d, &e) }},
		{"go-json-experiment", func(d []byte) error { var e event.Event; return jsonv2.Unmarshal(d, &e) }},
	}
	for _, size := range []int{2 << 10, 32 << 10} {
		data := newEvent(b, size)
		for _, dec := range decoders {
			b.Run(fmt.Sprintf("%s/%dKB", dec.name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if err := dec.fn(data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
