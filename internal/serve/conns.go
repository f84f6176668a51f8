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
	clock     time.Duration      // see tick; above zero
	ticked    time.Time          // when it was read
	change    chan struct{}      // closed and replaced when a connection may have begun to wait
}

// minWait is how long a connection waits for its client before it may be closed for
// another. A client that has just connected must have the time to send its request.
const minWait = 20 * time.Millisecond

// step bounds what a pause between two looks at the clock counts, see tick.
const step = minWait / 4

// conn is a connection of a conns.
type conn struct {
	*net.TCPConn
	owner *conns

	known bool // the client has shown that it may see everything
	held  bool
	gone  bool

	serving   bool // a handler runs, and the client has sent all that it wants
	answering bool // the handler has ended, and some of its answer may not be written yet
	answered  bool // the server only says good-bye, which takes half a second
	reading   bool // a Read is in progress

	// By the clock of the conns; zero: never.
	writing time.Duration // when the Write that is in progress began
	since   time.Duration // when it began to wait for a request, its handler began, or its answer was written
}

func newConns(l net.Listener, limit int) *conns {
	return &conns{Listener: l, limit: limit, open: map[*conn]struct{}{}, clock: 1, ticked: time.Now(), change: make(chan struct{})}
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
		oldest, pause := cs.oldest(cs.tick())
		if pause <= 0 && oldest.heard() {
			oldest.since = cs.clock // its goroutine is about to read that
			cs.mu.Unlock()
			continue
		}
		if pause <= 0 {
			oldest.drop()
			cs.mu.Unlock()
			oldest.cutOff()
			continue
		}
		change := cs.change
		cs.mu.Unlock()
		timer := time.NewTimer(min(pause, step))
		select {
		case <-timer.C:
		case <-change:
		}
		timer.Stop()
	}
}

// tick reads the clock by which connections wait for their clients. A pause between two
// looks at it counts for a step at most. In a longer one this process may have been kept
// from running, by a machine that is busy or a limit on its CPU, and clients would be
// closed for what they sent meanwhile, or for answers that it has not written. The
// caller has the lock.
func (cs *conns) tick() time.Duration {
	now := time.Now()
	cs.clock += min(now.Sub(cs.ticked), step)
	cs.ticked = now
	return cs.clock
}

// oldest returns the connection to close for another, and how long it may still wait; or
// how long to look away, when all are being served. Half of the places are for strangers:
// known clients give up theirs beyond the other half, which they all can, because no more
// than that are held. The caller has the lock.
func (cs *conns) oldest(now time.Duration) (oldest *conn, pause time.Duration) {
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
// whose goroutine has not run yet, has just got a request or has still to write its
// answer does not. The caller has the lock.
func (c *conn) waited(now time.Duration) (time.Duration, bool) {
	switch {
	case c.writing > 0:
		return now - c.writing, true
	case c.answered, c.waiting():
		return now - c.since, true
	}
	return 0, false
}

// waiting reports whether the connection waits for what its client has to send. The
// caller has the lock.
func (c *conn) waiting() bool { return c.reading && !c.serving && !c.answering }

// heard reports whether what the connection waits for has arrived, but its goroutine has
// not run since. The caller has the lock.
func (c *conn) heard() bool {
	return c.writing == 0 && !c.answered && c.waiting() && unread(c.TCPConn)
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
		if c.answering || c.since == 0 {
			c.answering, c.since = false, c.owner.tick()
		}
	})
	defer c.note(func() { c.reading = false })
	return c.TCPConn.Read(b)
}

// Write waits for the client if it does not read.
func (c *conn) Write(b []byte) (int, error) {
	c.note(func() { c.writing = c.owner.tick() })
	defer c.note(func() { c.writing = 0 })
	return c.TCPConn.Write(b)
}

// CloseWrite says good-bye: net/http calls it when all of an answer is written, and then
// leaves the client half a second.
func (c *conn) CloseWrite() error {
	c.note(func() { c.answered, c.since = true, c.owner.tick() })
	return c.TCPConn.CloseWrite()
}

// begin notes that a handler begins; the client still has to send a body, or not.
func (c *conn) begin(body bool) {
	c.note(func() {
		c.serving, c.answering, c.answered, c.since = !body, false, false, c.owner.tick()
	})
}

// end notes that a handler has ended; the server still has to write its answer.
func (c *conn) end() {
	c.note(func() {
		c.unhold()
		c.serving, c.answering = false, true
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
