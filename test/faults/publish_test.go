package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

// brokenEvery is how often publish sends a broken event, for the dead-letter topic.
const brokenEvery = 500

// publish publishes n events as an application does, some of them broken unless all
// are to be sound, and returns when the brokers have them.
func (w *world) publish(n int) {
	w.t.Helper()
	em, err := emitter.New(emitter.Config{Brokers: w.brokers, Topic: w.topic, Block: true})
	if err != nil {
		w.t.Fatal(err)
	}
	var broken []kafka.Message
	for range n {
		id := idNumber(len(w.ledger.published) + 1)
		w.ledger.published = append(w.ledger.published, id)
		if !w.allSound && len(w.ledger.published)%brokenEvery == 0 {
			w.ledger.broken[id] = true
			broken = append(broken, brokenEvent(id))
			continue
		}
		if err := em.Emit(w.t.Context(), newEvent(id)); err != nil {
			w.t.Fatalf("emit %s: %v", id, err)
		}
	}
	w.produce(broken)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := em.Close(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// produce publishes messages as they are.
func (w *world) produce(messages []kafka.Message) {
	w.t.Helper()
	if len(messages) == 0 {
		return
	}
	out := &kafka.Writer{
		Addr: w.client.Addr, Topic: w.topic, Transport: w.client.Transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, BatchBytes: 16 << 20, Balancer: &kafka.Hash{},
		MaxAttempts: 60, // new leaders may have to be elected first
	}
	defer out.Close()
	if err := out.WriteMessages(w.t.Context(), messages...); err != nil {
		w.t.Fatalf("publish: %v", err)
	}
}

func newEvent(id string) event.Event {
	return event.Event{
		RequestID: event.RequestID(id), Feature: "support_agent", PromptName: "support_triage", PromptVersion: "2026-06-01.3",
		Model: "gpt-6-luna", Status: "success",
		Input:  event.Text("In the matter of " + id + ": where is my order?"),
		Output: event.Text("It left our warehouse this morning and will be with you tomorrow."),
	}
}

// brokenEvent is an event as an old client sends it, with another name for its id.
func brokenEvent(id string) kafka.Message {
	return kafka.Message{
		Key:     []byte(id),
		Value:   fmt.Appendf(nil, `{"event":"llm_request_completed","id":%q}`, id),
		Headers: []kafka.Header{{Key: "request_id", Value: []byte(id)}},
	}
}
