package stream

import (
	"bytes"
	"context"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/devbroker"
)

// TestTheLargestMessage: the default bound is the one that holds, to the byte,
// on the whole way through fetching; what is larger waits among the dead letters.
func TestTheLargestMessage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	broker := securedBroker(t, devbroker.Config{MaxMessageBytes: 32 << 20})
	cfg := DefaultConfig()
	cfg.Brokers = []string{broker.Addr()}
	b := benchOn(t, cfg, 1)
	b.broker = broker
	if b.cfg.MaxMessageBytes != 10<<20 {
		t.Fatalf("the default bound is %d", b.cfg.MaxMessageBytes)
	}
	sizes := make(chan int, 2)
	w := b.start(Deps{Handle: func(_ context.Context, m eval.Message) error {
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
