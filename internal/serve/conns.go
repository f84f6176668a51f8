package serve

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// conns is a listener that holds a bounded number of connections and never makes a new
// one wait for an old one: at the bound it closes the one that has waited longest for
// its client. So a probe is answered, however many clients connect and send nothing, or
// half of something, or read nothing.
//
// A connection is held while its client, having shown that it may see everything, is
// served: it is not closed then. Only half of the connections are held at once; further
// ones are served all the same. Clients that have shown it before, the known ones, keep
// up to half of the places against strangers, and no more.
type conns struct {
	net.Listener
	limit int

	mu        sync.Mutex         // guards all below and the fields of each conn
	open      map[*conn]struct{} // all connections
	strangers int                // of those
	held      int                // of those
	closed    bool               // the listener
	change    chan struct{}      // closed and replaced when a connection may have begun to wait
}

// minWait is how long a connection waits for its client before it may be closed for
// another. A client that has just connected must have the time to send its request.
const minWait = 20 * time.Millisecond

// conn is a connection of a conns.
type conn struct {
	*net.TCPConn
	owner *conns

	known bool // the client has shown that it may see everything
	held  bool
	gone  bool

	serving  bool      // a handler runs, and the client has sent all that it wants
	answered bool      // the server may only have to say good-bye, which takes half a second
	reading  bool      // a Read is in progress
	writing  time.Time // when the Write that is in progress began; zero: none
	since    time.Time // when it began to wait for a request, or its handler began or ended
}

func newConns(l net.Listener, limit int) *conns {
	return &conns{Listener: l, limit: limit, open: map[*conn]struct{}{}, change: make(chan struct{})}
}

// Accept waits for a connection, and makes room for it.
func (cs *conns) Accept() (net.Conn, error) {
	accepted, err := cs.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := accepted.(*net.TCPConn)
	if !ok || !cs.makeRoom() {
		_ = accepted.Close()
		return nil, net.ErrClosed
	}
	c := &conn{TCPConn: tcp, owner: cs}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open[c] = struct{}{}
	cs.strangers++
	return c, nil
}

// makeRoom returns when there is room for one more connection; false: the listener is
// closed.
func (cs *conns) makeRoom() bool {
	for {
		cs.mu.Lock()
		if cs.closed || len(cs.open) < cs.limit {
			defer cs.mu.Unlock()
			return !cs.closed
		}
		oldest, pause := cs.oldest(time.Now())
		if pause <= 0 {
			oldest.drop()
			cs.mu.Unlock()
			oldest.cutOff()
			continue
		}
		change := cs.change
		cs.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-change:
		}
		timer.Stop()
	}
}

// oldest returns the connection to close for another, and how long it may still wait; or
// how long to look away, when all are being served. Half of the places are for strangers:
// known clients give up theirs beyond the other half, which they all can, because no more
// than that are held. The caller has the lock.
func (cs *conns) oldest(now time.Time) (oldest *conn, pause time.Duration) {
	known := cs.strangers < (cs.limit+1)/2
	pause = minWait
	for c := range cs.open {
		if c.known != known || c.held {
			continue
		}
		if waited, waits := c.waited(now); waits && minWait-waited < pause {
			oldest, pause = c, minWait-waited
		}
	}
	return oldest, pause
}

// waited returns for how long a connection has waited for its client, if it does. One
// whose goroutine has not run yet, or has just got a request, does not. The caller has
// the lock.
func (c *conn) waited(now time.Time) (time.Duration, bool) {
	switch {
	case !c.writing.IsZero():
		return now.Sub(c.writing), true
	case c.answered, c.reading && !c.serving:
		return now.Sub(c.since), true
	}
	return 0, false
}

// Close closes the listener, not its connections.
func (cs *conns) Close() error {
	cs.mu.Lock()
	cs.closed = true
	cs.changed()
	cs.mu.Unlock()
	return cs.Listener.Close()
}

// changed wakes makeRoom. The caller has the lock.
func (cs *conns) changed() {
	close(cs.change)
	cs.change = make(chan struct{})
}

// note changes the state of a connection.
func (c *conn) note(change func()) {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	change()
	if len(c.owner.open) >= c.owner.limit {
		c.owner.changed()
	}
}

// Read waits for the client.
func (c *conn) Read(b []byte) (int, error) {
	c.note(func() {
		c.reading = true
		if c.since.IsZero() {
			c.since = time.Now()
		}
	})
	defer c.note(func() { c.reading = false })
	return c.TCPConn.Read(b)
}

// Write waits for the client if it does not read.
func (c *conn) Write(b []byte) (int, error) {
	c.note(func() { c.writing = time.Now() })
	defer c.note(func() {
		c.writing = time.Time{}
		if !c.serving { // what no handler writes is the last word on a request that is none
			c.answered, c.since = true, time.Now()
		}
	})
	return c.TCPConn.Write(b)
}

// begin notes that a handler begins; the client still has to send a body, or not.
func (c *conn) begin(body bool) {
	c.note(func() { c.serving, c.answered, c.since = !body, false, time.Now() })
}

// end notes that a handler has ended.
func (c *conn) end() {
	c.note(func() {
		c.unhold()
		c.serving, c.answered, c.since = false, true, time.Now()
	})
}

// hold keeps the connection of a client that may see everything from being closed until
// end, unless half of all connections are held.
func (c *conn) hold() {
	c.note(func() {
		if c.gone {
			return
		}
		if !c.known {
			c.known = true
			c.owner.strangers--
		}
		if !c.held && c.owner.held < c.owner.limit/2 {
			c.held = true
			c.owner.held++
		}
	})
}

// unhold ends hold. The caller has the lock.
func (c *conn) unhold() {
	if c.held {
		c.held = false
		c.owner.held--
	}
}

// isKnown reports whether the client has shown that it may see everything.
func (c *conn) isKnown() bool {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	return c.known
}

// Close closes the connection.
func (c *conn) Close() error {
	c.owner.mu.Lock()
	c.drop()
	c.owner.mu.Unlock()
	return c.TCPConn.Close()
}

// drop ends the count of a connection. The caller has the lock.
func (c *conn) drop() {
	if c.gone {
		return
	}
	c.unhold()
	c.gone = true
	if !c.known {
		c.owner.strangers--
	}
	delete(c.owner.open, c)
	c.owner.changed()
}

// cutOff closes a connection at once, so that the system keeps nothing of it: what is
// not yet sent is for a client that does not read.
func (c *conn) cutOff() {
	_ = c.SetLinger(0)
	_ = c.TCPConn.Close()
}

// connKey is the key of the context value that holds a request's *conn.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request; nil when no [Server] serves it.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// briefly closes a connection after each answer, until its client has shown that it may
// see everything: [Guard.Protect] then keeps it.
func briefly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r); c != nil {
			if !c.isKnown() {
				w.Header().Set("Connection", "close")
			}
			c.begin(r.ContentLength != 0)
			defer c.end()
		}
		next.ServeHTTP(w, r)
	})
}

// keep keeps the connection of a client that may see everything, and protects it until
// its handler has ended.
func keep(w http.ResponseWriter, r *http.Request) {
	if c := connOf(r); c != nil {
		w.Header().Del("Connection")
		c.hold()
	}
}
