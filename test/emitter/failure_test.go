package emitter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

func TestABatchThatTheBrokerFindsTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{MaxMessageBytes: 2000})
	cfg := quick(b.Addr())
	cfg.Compression = "none"
	cfg.Linger = time.Second // all in one batch; Close does not wait for it
	e := newEmitter(t, cfg)
	for i := range 40 {
		ev := newEvent(i)
		ev.Output = event.Text(strings.Repeat("x", 300))
		if err := e.Emit(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	huge := newEvent(40)
	huge.Output = event.Text(strings.Repeat("x", 3000))
	if err := e.Emit(t.Context(), huge); err != nil {
		t.Fatal(err)
	}
	err := e.Close(t.Context())
	unsent, ok := errors.AsType[*emitter.UnsentError](err)
	if !ok || unsent.Count != 1 || unsent.RequestIDs[0] != huge.RequestID || !errors.Is(err, kafka.MessageSizeTooLarge) {
		t.Errorf("Close = %v, want only %s unsent, for its size", err, huge.RequestID)
	}
	if n := len(messages(t, b.Addr())); n != 40 {
		t.Errorf("%d messages, want 40", n)
	}
	checkBalance(t, e.Stats())
}

func TestUnsentIsToldOnce(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{})
	restore := b.RefuseWrites(topic)
	cfg := quick(b.Addr())
	var mu sync.Mutex
	reported := 0
	cfg.Unsent = func(events []emitter.UnsentEvent, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			t.Error("Unsent was called without an error")
		}
		reported += len(events)
	}
	e := newEmitter(t, cfg)
	for i := range 150 {
		if err := e.Emit(t.Context(), newEvent(i)); err != nil {
			t.Fatal(err)
		}
	}
	err := e.Flush(t.Context())
	unsent, ok := errors.AsType[*emitter.UnsentError](err)
	if !ok || unsent.Count != 150 || len(unsent.RequestIDs) != 100 {
		t.Fatalf("Flush = %v, want 150 unsent and the ids of 100", err)
	}
	if err := e.Flush(t.Context()); err != nil {
		t.Errorf("the second Flush reports again: %v", err)
	}
	restore()
	if err := e.Emit(t.Context(), newEvent(200)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Errorf("Close = %v after the broker had recovered", err)
	}
	s := e.Stats()
	checkBalance(t, s)
	mu.Lock()
	defer mu.Unlock()
	if reported != 150 || s.Unsent != 150 || s.Sent != 1 || s.Retries == 0 {
		t.Errorf("Unsent was called with %d; Stats = %+v", reported, s)
	}
}

func TestABrokerThatComesBackGetsEverything(t *testing.T) {
	t.Parallel()
	first := startBroker(t, broker.Config{})
	addr := first.Addr()
	first.Close()

	cfg := quick(addr)
	cfg.MaxAttempts, cfg.BackoffMax = 1_000_000, 50*time.Millisecond
	e := newEmitter(t, cfg)
	for i := range 20 {
		if err := e.Emit(t.Context(), newEvent(i)); err != nil {
			t.Fatal(err)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Flush(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush without a broker = %v, want its deadline", err)
	}
	again := startBroker(t, broker.Config{Addr: addr})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := e.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Compact(ids(messages(t, again.Addr())))); n != 20 {
		t.Errorf("%d different events, want 20", n)
	}
}

func TestATopicThatIsMissingIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{Topics: map[string]int32{"other": 1}})
	e := newEmitter(t, quick(b.Addr()))
	if err := e.Emit(t.Context(), newEvent(1)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("Close = %v, want the unknown topic", err)
	}
}
