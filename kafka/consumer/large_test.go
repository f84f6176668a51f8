package consumer

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/kafka/fetch"
)

// TestTheLargestMessage: fetching handles messages up to exactly the default bound; a
// larger one becomes a dead letter.
func TestTheLargestMessage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	broker := securedBroker(t, broker.Config{MaxMessageBytes: 32 << 20})
	cfg := DefaultConfig()
	cfg.Brokers = []string{broker.Addr()}
	b := testbedOn(t, cfg, 1)
	b.broker = broker
	if b.cfg.MaxMessageBytes != 10<<20 {
		t.Fatalf("the default bound is %d", b.cfg.MaxMessageBytes)
	}
	sizes := make(chan int, 2)
	w := b.start(Deps{Handle: func(_ context.Context, m event.Message) error {
		sizes <- len(m.Value)
		return nil
	}})
	for _, n := range []int{10 << 20, 10<<20 + 1, 1} {
		b.publishMessages(0, kafka.Message{Value: bytes.Repeat([]byte("x"), n)})
	}
	b.eventually("all is committed", func() bool { return b.stored(0) == 3 })
	handled := receive(t, sizes) + receive(t, sizes)
	if n := w.seen.count("dead " + string(eval.ReasonTooLarge)); n != 1 || handled != 10<<20+1 {
		t.Errorf("%d dead letters, %d bytes handled", n, handled)
	}
}

// TestTooManyHeaders: a message with more headers than are read becomes a dead letter with
// its key and value, which says so.
func TestTooManyHeaders(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.publishMessages(0, kafka.Message{Key: []byte("k"), Value: []byte("many"), Headers: make([]kafka.Header, fetch.MaxHeaders+1)})
	b.publish(0, "next")
	b.eventually("all is committed", func() bool { return b.stored(0) == 2 })
	if n := w.seen.count("dead " + string(eval.ReasonTooLarge)); n != 1 {
		t.Errorf("%d dead letters", n)
	}
	if diff := cmp.Diff(once([]string{"next"}), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	letter := b.deadLetters(1)["many"] // by value
	if want := "too_large: its headers were not read: 10001 headers, of which 10000 are allowed"; letter[""] != "k" || letter[HeaderTruncated] != TruncatedHeaders || letter[HeaderOriginOffset] != "0" || letter[HeaderError] != want {
		t.Errorf("dead letter: %v", letter)
	}
}
