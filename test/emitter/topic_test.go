package emitter_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
)

// topicOf returns the keys, headers and values of a topic's first partition.
func topicOf(t *testing.T, addr string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := kafka.DialLeader(ctx, "tcp", addr, emitter.DefaultTopic, 0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := conn.ReadLastOffset()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: emitter.DefaultTopic, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 4 << 20})
	var whole strings.Builder
	for range last {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		whole.Write(m.Key)
		whole.Write(m.Value)
		for _, h := range m.Headers {
			whole.Write(h.Value)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return whole.String()
}
