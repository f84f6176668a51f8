package consumer

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// The bounds of many partitions take few connections: kafka-go asks for each on one of
// its own, and keeps it.
func TestBoundsTakeFewConnections(t *testing.T) {
	t.Parallel()
	const partitions = 64
	b := newTestbed(t, partitions, true)
	c, err := New(b.cfg, Deps{Handle: func(context.Context, event.Message) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.transport.CloseIdleConnections()
	var dialed atomic.Int32
	dial := c.transport.Dial
	c.transport.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		return dial(ctx, network, addr)
	}
	ids := make([]int, partitions)
	for i := range ids {
		ids[i] = i
	}
	bounds, err := c.bounds(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(bounds) != partitions {
		t.Errorf("bounds of %d partitions, want %d", len(bounds), partitions)
	}
	if got := dialed.Load(); got > 12 { // eight requests at once, and some for the cluster's metadata
		t.Errorf("%d connections for %d partitions, want at most 12", got, partitions)
	}
}
