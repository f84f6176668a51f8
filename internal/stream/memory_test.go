package stream

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/devbroker"
)

// heldBytes is what handlers hold at once.
type heldBytes struct {
	mu        sync.Mutex
	now, most int  // guarded by mu
	over      bool // guarded by mu; more than the bound was held, and not by one alone
	bound     int
}

func (h *heldBytes) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += n
	if h.now > h.bound {
		h.over = h.over || h.now != max(n, -n)
		return
	}
	h.most = max(h.most, h.now)
}

// TestMemoryOfMessages has places in flight for many more messages than may be
// held. One that is larger than the whole has its turn too, alone.
func TestMemoryOfMessages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	const partitions, each, bound, small, large = 4, 8, 1 << 20, 200 << 10, 3 << 20
	broker := securedBroker(t, devbroker.Config{MaxMessageBytes: 32 << 20})
	cfg := DefaultConfig()
	cfg.Brokers, cfg.MaxInFlightBytes = []string{broker.Addr()}, bound
	b := benchOn(t, cfg, partitions)
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

	held := &heldBytes{bound: bound}
	begun, finish := make(chan struct{}), make(chan struct{})
	b.start(Deps{Handle: func(ctx context.Context, m eval.Message) error {
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
	// All begin that may before one ends, or at least more than one would.
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
