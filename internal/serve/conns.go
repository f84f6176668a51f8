package serve

import (
	"container/list"
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

	mu     sync.Mutex    // guards all below and the fields of each conn
	open   int           // connections
	held   int           // of those
	waits  [2]list.List  // *conn, longest wait first, of strangers and of known clients
	closed bool          // the listener
	change chan struct{} // closed and replaced when a connection is closed or begins to wait
}

const (
	strangers = iota
	known
)

// minWait is how long a connection waits before it may be closed for another. A probe
// that has just connected must be read before those that connect after it can replace
// it, and an answer must be on its way.
const minWait = 20 * time.Millisecond

// conn is a connection of a conns: it waits, or is held, or is gone.
type conn struct {
	*net.TCPConn
	owner   *conns
	class   int           // strangers or known
	element *list.Element // in owner.waits[class]; nil: held, or closed
	since   time.Time     // when it began to wait
	held    bool
	gone    bool
}

func newConns(l net.Listener, limit int) *conns {
	return &conns{Listener: l, limit: limit, change: make(chan struct{})}
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
	cs.open++
	c.wait()
	return c, nil
}

// makeRoom returns when there is room for one more connection; false: the listener is
// closed.
func (cs *conns) makeRoom() bool {
	for {
		cs.mu.Lock()
		if cs.closed || cs.open < cs.limit {
			defer cs.mu.Unlock()
			return !cs.closed
		}
		oldest, pause := cs.oldest()
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

// oldest returns the connection to close for another, and how long it may still wait.
// Half of the places are for strangers: known clients give up theirs beyond the other
// half, which they all can, because no more than that are held. The caller has the lock.
func (cs *conns) oldest() (*conn, time.Duration) {
	class := known
	if cs.waits[strangers].Len() >= (cs.limit+1)/2 {
		class = strangers
	}
	c := cs.waits[class].Front().Value.(*conn)
	return c, minWait - time.Since(c.since)
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

// wait puts a connection behind those that wait. The caller has the lock.
func (c *conn) wait() {
	if c.gone {
		return
	}
	c.unlist()
	c.since, c.element = time.Now(), c.owner.waits[c.class].PushBack(c)
	c.owner.changed()
}

// unlist takes a connection from those that wait. The caller has the lock.
func (c *conn) unlist() {
	if c.element != nil {
		c.owner.waits[c.class].Remove(c.element)
		c.element = nil
	}
}

// hold keeps a connection of a client that may see everything from being closed, until
// release. When half of all connections are held, it only begins to wait anew.
func (c *conn) hold() {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.unlist()
	c.class = known
	if c.gone || c.held || c.owner.held >= c.owner.limit/2 {
		c.wait()
		return
	}
	c.held = true
	c.owner.held++
}

// release ends hold; without a hold, it only begins to wait anew.
func (c *conn) release() {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.unhold()
	c.wait()
}

func (c *conn) unhold() {
	if c.held {
		c.held = false
		c.owner.held--
	}
}

// known reports whether the client has authenticated.
func (c *conn) known() bool {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	return c.class == known
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
	c.unlist()
	c.gone = true
	c.owner.open--
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
			if !c.known() {
				w.Header().Set("Connection", "close")
			}
			c.release()
			defer c.release()
		}
		next.ServeHTTP(w, r)
	})
}

// keep keeps the connection of a client that may see everything, and returns what ends
// its protection.
func keep(w http.ResponseWriter, r *http.Request) (release func()) {
	c := connOf(r)
	if c == nil {
		return func() {}
	}
	w.Header().Del("Connection")
	c.hold()
	return c.release
}
