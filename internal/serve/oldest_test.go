package serve

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestOldest: of the connections that wait for their client, the one that has waited
// longest makes room; one that is served, held, not read yet or still to be answered
// does not.
func TestOldest(t *testing.T) {
	t.Parallel()
	now := time.Hour
	ago := func(d time.Duration) time.Duration { return now - d }
	cs := newConns(nil, 9)
	want := &conn{reading: true, since: ago(3 * time.Second)}
	for _, c := range []*conn{
		want,
		{reading: true, since: ago(time.Second)},
		{reading: true, since: ago(time.Minute), serving: true},
		{reading: true, since: ago(time.Minute), answering: true},
		{reading: true, since: ago(time.Minute), held: true},
		{},
		{writing: ago(2 * time.Second)},
		{answered: true, since: ago(time.Second)},
	} {
		cs.open[c] = struct{}{}
		cs.strangers++
	}
	if got, pause := cs.oldest(now); got != want || pause > 0 {
		t.Errorf("%+v makes room after %v", got, pause)
	}
	delete(cs.open, want)
	if got, _ := cs.oldest(now); got == nil || got.writing == 0 {
		t.Errorf("%+v makes room; want the one that is written to", got)
	}
	cs.open = map[*conn]struct{}{{reading: true, since: ago(minWait / 2)}: {}}
	if _, pause := cs.oldest(now); pause != minWait/2 {
		t.Errorf("one that has just connected waits %v; want %v", pause, minWait/2)
	}
}

// accepted returns a connection of a listener that holds one, and its client.
func accepted(t *testing.T) (*conns, *conn, net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cs := newConns(l, 1)
	t.Cleanup(func() { _ = cs.Close() })
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err := cs.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return cs, server.(*conn), client
}

// TestWhatHasArrivedIsRead: a connection whose client has sent something does not make
// room, although its goroutine has not read that for long.
func TestWhatHasArrivedIsRead(t *testing.T) {
	t.Parallel()
	cs, c, client := accepted(t)
	if _, err := io.WriteString(client, "GET"); err != nil {
		t.Fatal(err)
	}
	// A Read is in progress, and has not got that far.
	c.note(func() { c.reading, c.since, cs.clock = true, 1, time.Hour })
	if !c.heard() {
		t.Fatalf("what the client has sent is not heard: %+v", c)
	}
	if n, err := c.Read(make([]byte, 3)); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	c.note(func() { c.reading = true })
	if c.heard() {
		t.Error("it is heard again")
	}
}

// TestAnAnswerIsWritten: between the end of a handler and the good-bye, the server is the
// one to wait for.
func TestAnAnswerIsWritten(t *testing.T) {
	t.Parallel()
	cs, c, client := accepted(t)
	waits := func() bool {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		_, waits := c.waited(time.Hour)
		return waits
	}
	c.note(func() { c.reading = true }) // as net/http does while a handler runs
	c.begin(false)
	if waits() {
		t.Error("a handler runs")
	}
	c.end()
	if waits() {
		t.Error("the answer is not written")
	}
	for _, part := range []string{"200 ", "OK"} {
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatal(err)
		}
		if waits() {
			t.Errorf("after %q", part)
		}
	}
	if err := c.CloseWrite(); err != nil || !waits() {
		t.Errorf("the good-bye: %v, waits %t", err, waits())
	}
	if said, err := io.ReadAll(client); string(said) != "200 OK" || err != nil {
		t.Errorf("the client got %q, %v", said, err)
	}
}

// TestAStandstillIsNoWait: of the time in which the process did not run, a step counts.
func TestAStandstillIsNoWait(t *testing.T) {
	t.Parallel()
	cs := newConns(nil, 1)
	c := &conn{reading: true, since: cs.tick()}
	cs.open[c], cs.strangers = struct{}{}, 1
	looks := 0
	for pause := minWait; pause > 0; looks++ {
		cs.ticked = cs.ticked.Add(-time.Minute) // it stands still
		_, pause = cs.oldest(cs.tick())
	}
	if want := int(minWait / step); looks != want {
		t.Errorf("makes room after %d looks; want %d", looks, want)
	}
}
