package consumer

import (
	"net"
	"testing"
	"time"
)

// TestFirstBrokerIsSilent: the first broker of the list accepts connections and does
// not answer, as if frozen. The others are healthy, and the worker uses them.
func TestFirstBrokerIsSilent(t *testing.T) {
	t.Parallel()
	for _, start := range []Start{StartFirst, StartLast} {
		t.Run(string(start), func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, 1, true)
			ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // the kernel takes connections for it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
			b.cfg.Start, b.cfg.DialTimeout = start, time.Second
			b.cfg.Brokers = []string{ln.Addr().String(), b.broker.Addr()}
			var notes notebook
			w := b.start(Deps{Handle: notes.Handle})
			w.owns(1)
			b.publish(0, "read and committed")
			b.eventually("committed", func() bool { return b.stored(0) == 1 })
		})
	}
}
