package emitter_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/sidecar"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// TestThroughTheSidecar: what an emitter gives to a real sidecar arrives in Kafka, once.
func TestThroughTheSidecar(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{})
	publisher, err := emitter.NewPublisher(emitter.Config{Brokers: []string{b.Addr()}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	log := slog.New(slog.DiscardHandler)
	queue, err := spool.Open(spool.Config{Dir: t.TempDir()}, log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sidecar.New(t.Context(), sidecar.Config{Listen: "127.0.0.1:0"}, sidecar.Deps{Spool: queue, Publisher: publisher, Log: log, Topic: topic, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	em := newEmitter(t, emitter.Config{Sidecar: "http://" + s.Addr()})
	if err := em.Connect(t.Context()); err != nil {
		t.Error(err)
	}
	const events = 1000
	for i := range events {
		if err := em.Emit(t.Context(), newEvent(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := em.Close(t.Context()); err != nil || em.Stats().Sent != events {
		t.Errorf("Close: %v, %+v", err, em.Stats())
	}
	stop() // it sends what it has
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := queue.Close(); err != nil {
		t.Error(err)
	}
	if n := len(messages(t, b.Addr())); n != events {
		t.Errorf("%d messages, want %d", n, events)
	}
}
