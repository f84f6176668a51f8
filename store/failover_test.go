package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

// forwarder is an address that leads to one server and then to another, as the name of a
// primary does. Connections that exist stay where they are.
type forwarder struct {
	net.Listener
	mu     sync.Mutex
	target string // guarded by mu
	conns  []net.Conn
	all    sync.WaitGroup
}

func newForwarder(t *testing.T, target string) *forwarder {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Listener: l, target: target}
	f.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.serve(in)
		}
	})
	t.Cleanup(func() {
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

// serve connects a connection with the target of now.
func (f *forwarder) serve(in net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := new(net.Dialer).DialContext(context.Background(), "tcp", f.target)
	if err != nil {
		_ = in.Close()
		return
	}
	f.conns = append(f.conns, in, out)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		f.all.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
		})
	}
}

func (f *forwarder) leadTo(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = target
}

// server is a database server of its own, with a store.
type server struct {
	url *url.URL
	db  *sql.DB
}

func startServer(t *testing.T) server {
	t.Helper()
	p, err := containers.StartPostgres(t.Context())
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	return server{u, raw(t, "pgx", p.URL())}
}

// at returns the configuration of the store at another address.
func (s server) at(host, options string) store.Config {
	u := *s.url
	u.Host = host
	u.RawQuery += options
	cfg := store.DefaultConfig()
	cfg.URL = u.String()
	return cfg
}

// TestFailover: the old primary stays up and becomes read-only, and another server takes
// over, which a name or a list of hosts leads to. What was written once is there once.
func TestFailover(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	first, second := startServer(t), startServer(t)
	// Of both servers one user has one password.
	password, _ := first.url.User.Password()
	execute(t, second.db, `ALTER USER postgres PASSWORD '`+password+`'`)
	name := newForwarder(t, first.url.Host)
	for way, cfg := range map[string]store.Config{
		"a name":          first.at(name.Addr().String(), ""),
		"a list of hosts": first.at(first.url.Host+","+second.url.Host, "&target_session_attrs=read-write"),
	} {
		t.Run(way, func(t *testing.T) {
			for _, db := range []*sql.DB{first.db, second.db} {
				execute(t, db, `DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`)
			}
			name.leadTo(first.url.Host)
			failover(t, cfg, first, second, func() { name.leadTo(second.url.Host) })
			execute(t, first.db, `ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`)
			awaitReadOnly(t, first.db, "off")
		})
	}
}

func failover(t *testing.T, cfg store.Config, first, second server, promote func()) {
	t.Helper()
	s := open(t, cfg)
	open(t, first.at(second.url.Host, "")) // as replication would have made it, password and all
	var want []string
	write := func(id string) error {
		err := s.Write(t.Context(), insert(id))
		if err == nil {
			want = append(want, id)
		}
		return err
	}
	for i := range 5 {
		if err := write(fmt.Sprintf("before-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	// Several connections of the pool lead to the old primary.
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() { _ = ids(t, s) })
	}
	readers.Wait()

	execute(t, first.db, `ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`)
	awaitReadOnly(t, first.db, "on")
	if strings.Contains(cfg.URL, "target_session_attrs") {
		for _, id := range want {
			execute(t, second.db, `INSERT INTO cases VALUES ('`+id+`', '', '', '', '', '', '', '', '', '', 0, 0, 1)`)
		}
	} else {
		if err := write("lost"); err == nil || !strings.Contains(err.Error(), "the server is read-only") {
			t.Fatalf("written to a standby: %v", err)
		}
		for _, id := range want {
			execute(t, second.db, `INSERT INTO cases VALUES ('`+id+`', '', '', '', '', '', '', '', '', '', 0, 0, 1)`)
		}
		promote()
	}
	for i := range 5 { // at once: no write fails any more
		if err := write(fmt.Sprintf("since-%d", i)); err != nil {
			t.Fatalf("after the failover: %v", err)
		}
	}
	if got := ids(t, s); got != strings.Join(want, " ") {
		t.Errorf("rows %s, want %s", got, want)
	}
}

// awaitReadOnly waits until a server's setting has reached a session.
func awaitReadOnly(t *testing.T, db *sql.DB, want string) {
	t.Helper()
	var got string
	for got != want {
		if err := db.QueryRowContext(t.Context(), `SHOW default_transaction_read_only`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if !backoff.Wait(t.Context(), 10*time.Millisecond) {
			t.Fatal("the server does not change")
		}
	}
}

// TestLostConnections: connections that the server has closed are no error of a write or
// a read, because others are made at once.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	s := open(t, cfg)
	db := raw(t, "pgx", cfg.URL)
	kill := func() {
		t.Helper()
		execute(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'evalworker'`)
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() { _ = ids(t, s) })
	}
	readers.Wait()
	kill()
	if err := s.Write(t.Context(), insert("a")); err != nil {
		t.Errorf("written: %v", err)
	}
	kill()
	if got := ids(t, s); got != "a" {
		t.Errorf("read %q", got)
	}
	// In the middle of a transaction: it is done again, as a whole.
	calls := 0
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		err := insert("b")(ctx, tx)
		if calls++; calls == 1 {
			kill()
		}
		return errors.Join(err, insert("c")(ctx, tx))
	})
	if err != nil || calls != 2 || ids(t, s) != "a b c" {
		t.Errorf("%d calls, %v: %s", calls, err, ids(t, s))
	}
}
