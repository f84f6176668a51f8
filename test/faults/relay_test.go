package faults

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// relay is an address that leads to a server, and to another one later, as a name does.
// It can swallow what it should pass on.
type relay struct {
	net.Listener
	all sync.WaitGroup

	mu     sync.Mutex // guards all below
	target string
	conns  []net.Conn
	open   chan struct{} // closed while bytes pass
}

// newRelay returns a relay to a server. It ends with the row.
func newRelay(w *world, target string) *relay {
	w.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", "127.0.0.1:0")
	w.must(err)
	f := &relay{Listener: l, target: target, open: make(chan struct{})}
	close(f.open)
	f.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.all.Go(func() { f.serve(in) })
		}
	})
	w.t.Cleanup(func() {
		f.swallow(false)
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.all.Wait()
	})
	return f
}

// serve connects a connection with the target of now. Those that exist stay where they are.
func (f *relay) serve(in net.Conn) {
	f.mu.Lock()
	target := f.target
	f.mu.Unlock()
	out, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", target)
	if err != nil {
		_ = in.Close()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, in, out)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		f.all.Go(func() {
			_, _ = io.Copy(&gate{way[0], f}, way[1])
			_ = way[0].Close()
		})
	}
}

// gate passes on what is written while its relay is open, and waits until then.
type gate struct {
	io.Writer
	relay *relay
}

// Write waits and writes.
func (g *gate) Write(b []byte) (int, error) {
	g.relay.mu.Lock()
	open := g.relay.open
	g.relay.mu.Unlock()
	<-open
	return g.Writer.Write(b)
}

// leadTo changes where new connections lead.
func (f *relay) leadTo(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = target
}

// swallow lets nothing through in either direction, as a network that drops packets. The
// ends send them again, so they arrive when it is over.
func (f *relay) swallow(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.open = make(chan struct{})
		return
	}
	select {
	case <-f.open:
	default:
		close(f.open)
	}
}
