package faults

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// forwarder stands between workers and one server, passes bytes on, and does to them
// what networks do. Packets that a network drops are sent again by TCP, so what is
// dropped here is held, and passed on when the network heals.
type forwarder struct {
	t        *testing.T
	addr     string
	listener *net.TCPListener
	stopping context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex // guards all below
	to      string     // the server's address
	secured *tls.Config
	weather weather
	changed chan struct{}             // closed, and replaced, when weather changes
	conns   map[*net.TCPConn]struct{} // open ones, of clients and to the server
	holding bool                      // a connection was accepted, and waits for the network to heal

	shutting sync.Mutex // guards fillers
	fillers  []net.Conn // what keeps new connections from being made
}

// weather is the state of a network.
type weather struct {
	cut        bool          // requests do not arrive
	answersCut bool          // answers do not arrive
	delay      time.Duration // of each direction
	loss       float64       // share of packets that have to be sent again
}

const (
	// packet is the size of a full packet, in bytes.
	packet = 1448
	// resendMin is the shortest time after which a sender repeats a packet, besides the
	// time that an answer takes.
	resendMin = 200 * time.Millisecond
	// backlog is the usual number of connections that wait to be accepted.
	backlog = 128
)

// newForwarder listens at an address, where a port of 0 is any.
func newForwarder(t *testing.T, addr string) *forwarder {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{t: t, addr: l.Addr().String(), listener: l.(*net.TCPListener), changed: make(chan struct{}), conns: map[*net.TCPConn]struct{}{}}
	f.stopping, f.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	f.running.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

// towards sets the server of new connections. Those that exist stay where they are.
func (f *forwarder) towards(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to = server
}

// secure makes new connections of clients speak TLS; nil ends that.
func (f *forwarder) secure(cfg *tls.Config) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secured = cfg
}

// close ends the forwarder and all connections.
func (f *forwarder) close() {
	f.stop()
	f.heal()
	_ = f.listener.Close() // it may be closed already
	f.reset()
	f.running.Wait()
}

// reset ends all connections.
func (f *forwarder) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

// cut drops all packets: nothing arrives, and no connection can be made.
func (f *forwarder) cut() { f.set(weather{cut: true, answersCut: true}) }

// cutAnswers drops the packets of the server, among them those without which no new
// connection is made. What clients send on open ones arrives.
func (f *forwarder) cutAnswers() { f.set(weather{answersCut: true}) }

// heal ends whatever was wrong.
func (f *forwarder) heal() { f.set(weather{}) }

func (f *forwarder) set(w weather) {
	f.mu.Lock()
	turned := w.answersCut != f.weather.answersCut
	f.weather = w
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
	if turned {
		f.shut(w.answersCut)
	}
}

// shut lets no connection be made, as when the network drops packets: the kernel does
// not answer an attempt while the queue of connections to be accepted is full, and the
// client tries again.
func (f *forwarder) shut(on bool) {
	f.shutting.Lock()
	defer f.shutting.Unlock()
	size := backlog
	if on {
		size = 0
	}
	raw, err := f.listener.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), size) }) // where it fails, the loop below says so
	}
	if err != nil && f.stopping.Err() == nil {
		f.t.Errorf("forwarder %s: %v", f.addr, err)
	}
	for _, c := range f.fillers {
		_ = c.Close()
	}
	f.fillers = nil
	if !on {
		return
	}
	const (
		patient = 100 * time.Millisecond // on this machine a connection is made within microseconds
		most    = 50
	)
	for range most {
		f.mu.Lock()
		holding := f.holding // nobody takes a connection out of the queue any more
		f.mu.Unlock()
		d := net.Dialer{Timeout: patient}
		c, err := d.DialContext(f.stopping, "tcp", f.addr)
		if err == nil {
			f.fillers = append(f.fillers, c)
		} else if holding {
			return
		}
	}
	f.t.Errorf("forwarder %s: connections are still made", f.addr)
}

// accept passes connections on until the listener is closed.
func (f *forwarder) accept() {
	for {
		c, err := f.listener.AcceptTCP()
		if err != nil {
			return
		}
		f.hold(true)
		open := f.open(func(w weather) bool { return w.answersCut })
		f.hold(false)
		if !open {
			_ = c.Close()
			return
		}
		f.running.Go(func() { f.forward(c) })
	}
}

func (f *forwarder) hold(one bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holding = one && f.weather.answersCut
}

// open waits while the network is as blocked says, and reports false when the forwarder
// ends first.
func (f *forwarder) open(blocked func(weather) bool) bool {
	for {
		f.mu.Lock()
		w, changed := f.weather, f.changed
		f.mu.Unlock()
		if !blocked(w) {
			return true
		}
		select {
		case <-changed:
		case <-f.stopping.Done():
			return false
		}
	}
}

// forward passes on what comes over one connection.
func (f *forwarder) forward(client *net.TCPConn) {
	f.mu.Lock()
	to, secured := f.to, f.secured
	f.mu.Unlock()
	var d net.Dialer
	opened, err := d.DialContext(f.stopping, "tcp", to)
	if err != nil {
		_ = client.SetLinger(0) // refused there, so reset here
		_ = client.Close()
		return
	}
	server := opened.(*net.TCPConn)
	for _, c := range []*net.TCPConn{client, server} {
		f.keep(c)
		defer f.forget(c)
	}
	var front net.Conn = client
	if secured != nil {
		front = tls.Server(client, secured)
	}
	var both sync.WaitGroup
	both.Go(func() { f.pump(server, front, func(w weather) bool { return w.cut }) })
	both.Go(func() { f.pump(front, server, func(w weather) bool { return w.answersCut }) })
	both.Wait()
}

func (f *forwarder) keep(c *net.TCPConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = struct{}{}
	if f.stopping.Err() != nil {
		_ = c.Close()
	}
}

func (f *forwarder) forget(c *net.TCPConn) {
	_ = c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// chunk is what was read at once.
type chunk struct {
	data []byte
	due  time.Time // when it arrives
}

// pump passes bytes from one end to the other, until one of them closes or the forwarder
// ends. It then closes both.
func (f *forwarder) pump(to, from net.Conn, blocked func(weather) bool) {
	const ahead = 64 // chunks on the way
	chunks := make(chan chunk, ahead)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(chunks)
		for {
			data := make([]byte, 16<<10)
			n, err := from.Read(data)
			if n > 0 {
				chunks <- chunk{data[:n], time.Now().Add(f.transit(n))}
			}
			if err != nil {
				return
			}
		}
	})
	failed := false
	for c := range chunks {
		if failed {
			continue
		}
		select {
		case <-time.After(time.Until(c.due)):
		case <-f.stopping.Done():
		}
		if f.open(blocked) {
			_, err := to.Write(c.data)
			failed = err != nil
		} else {
			failed = true
		}
		if failed {
			_ = from.Close() // ends the reading
		}
	}
	reading.Wait()
	_ = f.open(blocked) // the end of a connection does not arrive either
	_ = to.Close()
	_ = from.Close()
}

// transit returns how long bytes are on the way. A packet that is lost is sent again
// after an answer should have come, and everything behind it waits.
func (f *forwarder) transit(n int) time.Duration {
	f.mu.Lock()
	w := f.weather
	f.mu.Unlock()
	took := w.delay
	for sent := 0; sent < n; sent += packet {
		if rand.Float64() < w.loss {
			took += 2*w.delay + resendMin
		}
	}
	return took
}

// TestForwarder: bytes pass, are held while the network is cut, and arrive when it heals;
// no connection is made meanwhile.
func TestForwarder(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	server, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	f := newForwarder(t, "127.0.0.1:0")
	f.towards(server.Addr().String())
	dial := func(limit time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		var d net.Dialer
		return d.DialContext(ctx, "tcp", f.addr)
	}
	c, err := dial(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer := make([]byte, 4)
	ask := func() error {
		if _, err := c.Write([]byte("ping")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, answer)
		return err
	}
	if err := ask(); err != nil || string(answer) != "ping" {
		t.Fatalf("%q, %v", answer, err)
	}
	for name, cut := range map[string]func(){"cut": f.cut, "answers cut": f.cutAnswers} {
		cut()
		const silence = 200 * time.Millisecond
		_ = c.SetReadDeadline(time.Now().Add(silence))
		if err := ask(); !os.IsTimeout(err) {
			t.Errorf("%s: %v, want no answer", name, err)
		}
		if another, err := dial(silence); err == nil {
			t.Errorf("%s: a connection was made", name)
			_ = another.Close()
		}
		f.heal()
		_ = c.SetReadDeadline(time.Time{})
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Errorf("%s: after it is over: %v", name, err)
		}
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	f.reset()
	<-echoed
	if _, err := c.Read(answer); err == nil {
		t.Error("the connection is still open after all were ended")
	}
}
