package consumer

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// byteGauge measures the bytes that handlers hold at once.
type byteGauge struct {
	mu        sync.Mutex
	now, most int  // guarded by mu
	over      bool // guarded by mu; more than the bound was held, and not by one alone
	bound     int
}

func (h *byteGauge) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += n
	if h.now > h.bound {
		h.over = h.over || h.now != max(n, -n)
		return
	}
	h.most = max(h.most, h.now)
}

// TestMaxInFlightBytes allows many more messages in flight than bytes. A message that
// is larger than the whole has its turn too, alone.
func TestMaxInFlightBytes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	const partitions, each, bound, small, large = 4, 8, 1 << 20, 200 << 10, 3 << 20
	broker := securedBroker(t, broker.Config{MaxMessageBytes: 32 << 20})
	cfg := DefaultConfig()
	cfg.Brokers, cfg.MaxInFlightBytes = []string{broker.Addr()}, bound
	b := testbedOn(t, cfg, partitions)
	b.broker = broker
	for p := range partitions {
		messages := make([]kafka.Message, each)
		for i := range messages {
			messages[i].Value = bytes.Repeat([]byte("x"), small)
		}
		if p == 1 {
			messages[each/2].Value = bytes.Repeat([]byte("x"), large)
		}
		b.publishMessages(p, messages...)
	}

	held := &byteGauge{bound: bound}
	begun, finish := make(chan struct{}), make(chan struct{})
	b.start(Deps{Handle: func(ctx context.Context, m event.Message) error {
		held.add(len(m.Value))
		defer held.add(-len(m.Value))
		select {
		case begun <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-finish:
		case <-ctx.Done():
		}
		return ctx.Err()
	}})
	// As many begin as may before one ends; at least two.
	for range 2 {
		receive(t, begun)
	}
	for begins, ends := 2, 0; ends < partitions*each; {
		if begins == ends {
			receive(t, begun)
			begins++
			continue
		}
		select {
		case <-begun:
			begins++
		case finish <- struct{}{}:
			ends++
		}
	}
	b.eventually("all is committed", func() bool {
		var n int64
		for p := range partitions {
			n += b.stored(p)
		}
		return n == partitions*each
	})
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.over {
		t.Errorf("more than %d bytes in flight", bound)
	}
	if held.most < 2*small {
		t.Errorf("%d bytes in flight at most: nothing was done at once", held.most)
	}
}

// TestLargeMessagesDoNotHoldUpSmallOnes: one large message is being handled and
// another waits for it, while small ones use the rest of the bytes.
func TestLargeMessagesDoNotHoldUpSmallOnes(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2, true)
	b.cfg.MaxInFlightBytes = 1 << 20
	large := kafka.Message{Value: bytes.Repeat([]byte("x"), 600<<10)}
	hold := make(chan struct{})
	var notes notebook
	w := b.start(Deps{Handle: func(ctx context.Context, m event.Message) error {
		if len(m.Value) < len(large.Value) {
			return notes.Handle(ctx, m)
		}
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return ctx.Err()
	}})
	for range 2 { // each as large as a batch may be
		b.publishMessages(0, large)
	}
	b.eventually("one is in work, and one waits", func() bool { return !w.budget.large.TryAcquire(0) })
	const small = 20
	b.publish(1, values("small", small)...)
	b.eventually("the small ones are committed", func() bool { return b.stored(1) == small })
	if got := w.Status().InFlight; got != 1 {
		t.Errorf("%d in flight, want the large one", got)
	}
	close(hold)
	b.eventually("the large ones are committed", func() bool { return b.stored(0) == 2 })
	b.eventually("all memory is free", func() bool { return allFree(w.budget) })
}

func TestByteBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newByteBudget(1000)
		take := func(ctx context.Context, bytes int) <-chan int64 {
			taken := make(chan int64, 1)
			go func() {
				if n, err := m.acquire(ctx, bytes); err == nil {
					taken <- n
				}
				close(taken)
			}()
			synctest.Wait()
			return taken
		}
		waits := func(what string, taken <-chan int64, want bool) {
			t.Helper()
			if got := len(taken) == 0; got != want {
				t.Errorf("%s: waits %v, want %v", what, got, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		first, second, third := take(t.Context(), 500), take(t.Context(), 251), take(ctx, 300)
		waits("a large one", first, false)
		waits("another, of more than what is left to large ones", second, true)
		waits("a third", third, true)
		small, more := take(t.Context(), 250), take(t.Context(), 250)
		waits("small ones", small, false)
		waits("small ones", more, false)
		still := take(t.Context(), 1)
		waits("one more, of what is not there", still, true)
		cancel() // the partition of the third is lost
		m.release(<-small)
		m.release(<-first)
		synctest.Wait()
		waits("the second, when the first is through", second, false)
		waits("one more", still, false)

		huge, behind := take(t.Context(), 5000), take(t.Context(), 1)
		waits("one that is larger than the whole", huge, true)
		waits("who comes while it waits for a large one", behind, false)
		m.release(<-second)
		synctest.Wait()
		late := take(t.Context(), 1)
		waits("the same, while small ones are there", huge, true)
		waits("who comes while it waits for small ones", late, true)
		ctx, cancel = context.WithCancel(t.Context())
		lost := take(ctx, 5000)
		cancel()
		for _, taken := range []<-chan int64{more, still, behind} {
			m.release(<-taken)
		}
		synctest.Wait()
		waits("the same, when they are through", huge, false)
		waits("who came last", late, true)
		m.release(<-huge)
		m.release(<-late)
		for _, gone := range []<-chan int64{third, lost} {
			if _, had := <-gone; had {
				t.Error("memory for a message that was given up")
			}
		}
		if !allFree(m) {
			t.Error("not all memory came back")
		}
	})
}

// allFree reports whether nothing of a budget is taken or waited for.
func allFree(m *byteBudget) bool {
	if !m.all.TryAcquire(m.whole) {
		return false
	}
	defer m.all.Release(m.whole)
	if !m.large.TryAcquire(m.share) {
		return false
	}
	m.large.Release(m.share)
	return true
}
