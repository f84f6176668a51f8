package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

const schema = `{
  "type": "object", "additionalProperties": false, "required": ["category", "answer", "confidence"],
  "properties": {
    "category": {"enum": ["billing", "delivery", "returns"]}, "answer": {"type": "string", "minLength": 1},
    "confidence": {"type": "number", "minimum": 0, "maximum": 1}, "order_id": {"type": "string", "pattern": "^[0-9]{6}$"},
    "escalate": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5}
  }
}`

// newEvent returns the n-th event: 2 KB as JSON, with an output of 350 bytes that
// the schema accepts.
func newEvent(n int) event.Event {
	answer := strings.Repeat("Your parcel left the depot this morning. ", 5)
	latency := 1430.0
	return event.Event{
		RequestID: event.RequestID(fmt.Sprintf("req_%09d", n)), TraceID: event.ID(strconv.Itoa(n + 1)),
		Service: "support", Environment: "production", Feature: "support_agent",
		PromptName: "support_triage", PromptVersion: fmt.Sprintf("2026-06-01.%d", n%3), Provider: "openai", Model: "gpt-6-luna",
		Status: "success", FinishReason: "stop", TenantTier: "gold", LatencyMS: &latency,
		Input:        event.Text(strings.Repeat("Where is my order? It should have been here by now. ", 24)),
		Output:       event.Text(fmt.Sprintf(`{"category":"delivery","answer":%q,"confidence":0.9,"order_id":"123456","escalate":false,"tags":["parcel","late"]}`, answer)),
		OutputSchema: "support_reply",
	}
}

// publish emits n events through the client that applications use, as fast as it
// goes or one every so often. each, which may be nil, sees an event just before it
// is emitted and may change it.
func (w *world) publish(ctx context.Context, topic string, n int, every time.Duration, each func(int, *event.Event)) error {
	em, err := emitter.New(emitter.Config{Brokers: w.brokers, Topic: topic, Block: true})
	if err != nil {
		return err
	}
	var tick <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	for i := range n {
		if tick != nil {
			select {
			case <-tick:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		e := newEvent(i)
		if each != nil {
			each(i, &e)
		}
		if err := em.Emit(ctx, e); err != nil {
			return fmt.Errorf("publish event %d: %w", i, err)
		}
	}
	return em.Close(ctx)
}
