package emitter_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/redact"
)

func redactor(tb testing.TB, cfg redact.Config) *redact.Redactor {
	tb.Helper()
	r, err := redact.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// TestPrepareFailsClosed: an event whose content cannot be redacted has none, nor names of
// calls and ids that a redactor would have searched, and keeps its measures.
func TestPrepareFailsClosed(t *testing.T) {
	t.Parallel()
	mail := "canary" + "@example.com"
	deep := event.JSON(json.RawMessage(strings.Repeat(`[`, 200) + `"` + mail + `"` + strings.Repeat("]", 200)))
	for name, e := range map[string]event.Event{
		"too deep":  {Input: deep},
		"too large": {Output: event.Text(strings.Repeat("x ", 9<<20) + mail)},
	} {
		e.RequestID, e.InputTokens, e.PromptName, e.Comment = "r", new(int64(7)), "for "+mail, mail
		e.ToolCalls = []event.ToolCall{{Name: mail, Status: "error " + mail}}
		e.Retrieval = &event.Retrieval{Chunks: []event.Chunk{{ID: event.ID(mail), Text: mail}}}
		if !redactor(t, redact.Config{}).Prepare(&e) {
			t.Errorf("%s: left out", name)
		}
		got, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if e.ContentWithheld != event.WithheldNotRedacted || strings.Contains(string(got), "canary") || *e.InputTokens != 7 || e.PromptName != "for [EMAIL]" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestPrepareWithAnEmitter: what an application publishes with a redactor is redacted in
// Kafka, body and headers, and the application's own values stay.
func TestPrepareWithAnEmitter(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(broker.Config{Topics: map[string]int32{emitter.DefaultTopic: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	var mu sync.Mutex
	var unsent []string // guarded by mu
	em, err := emitter.New(emitter.Config{
		Brokers: []string{b.Addr()}, Prepare: redactor(t, redact.Config{}).Prepare,
		Unsent: func(_ []emitter.UnsentEvent, err error) {
			mu.Lock()
			defer mu.Unlock()
			unsent = append(unsent, err.Error())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mail := "canary" + "@example.com"
	ev := event.Event{
		RequestID: "r", Feature: mail, Input: event.Text(mail), Comment: mail,
		ToolCalls: []event.ToolCall{{Name: "look", Arguments: event.JSON(json.RawMessage(`{"to":"` + mail + `"}`))}},
		Retrieval: &event.Retrieval{Query: mail, Chunks: []event.Chunk{{Text: mail}}},
	}
	before, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if err := em.Emit(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	if err := em.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err, unsent)
	}
	after, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if diff := testdiff.Of(string(before), string(after)); diff != "" {
		t.Errorf("the application's event (-before +after):\n%s", diff)
	}
	whole := topicOf(t, b.Addr())
	if strings.Contains(whole, "canary") || strings.Count(whole, "[EMAIL]") != 7 {
		t.Errorf("in the topic: %s", whole)
	}
}

// BenchmarkPrepare: what redaction costs an application for each event.
func BenchmarkPrepare(b *testing.B) {
	r := redactor(b, redact.Config{})
	prose := strings.Repeat("The refund is due within 30 days of your order 123, see https://example.com/terms for details. ", 350)
	for _, size := range []struct {
		name string
		n    int
	}{{"2 KB", 2 << 10}, {"8 KB", 8 << 10}, {"32 KB", 32 << 10}} {
		words := prose[:size.n]
		chat, err := json.Marshal([]map[string]string{{"role": "system", "content": words[:size.n/2]}, {"role": "user", "content": words[size.n/2:]}})
		if err != nil {
			b.Fatal(err)
		}
		for form, input := range map[string]event.Content{"text": event.Text(words), "chat": event.JSON(chat)} {
			b.Run(size.name+" "+form, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					e := event.Event{RequestID: "r", Feature: "chat", Input: event.JSON(input.Raw())}
					if !r.Prepare(&e) || e.ContentWithheld != "" {
						b.Fatal(e.ContentWithheld)
					}
				}
			})
		}
	}
}
