package conn

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"

	"github.com/evalworker/evalworker/internal/base/secret"
)

// silent returns the address of a broker that accepts connections and never answers,
// as one that was frozen or whose disk hangs.
func silent(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // the kernel accepts connections for it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

// answering returns the address of a broker that tells its versions to the first client.
func answering(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = ln.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for {
			version, id, _, _, err := protocol.ReadRequest(c)
			if err != nil || protocol.WriteResponse(c, version, id, &apiversions.Response{}) != nil {
				return
			}
		}
	}()
	return ln.Addr().String()
}

// TestSilentBroker: a dialer returns no connection to a broker that does not answer,
// and gives it a short timeout from then on as long as there is another.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = []string{silent(t), answering(t)}
	cfg.DialTimeout = 5 * time.Second // in which the other one answers on a busy machine
	b := newBrokers(cfg)
	dial := b.dial(cfg.opener(0))

	if _, err := dial(t.Context(), "tcp", cfg.Brokers[0]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("err = %v; want a timeout", err)
	}
	if got := b.timeout(cfg.Brokers[0]); got != silentTimeout {
		t.Errorf("it is given %v; want %v", got, silentTimeout)
	}
	conn, err := dial(t.Context(), "tcp", cfg.Brokers[1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got := b.timeout(cfg.Brokers[1]); got != cfg.DialTimeout {
		t.Errorf("the one that answers is given %v; want %v", got, cfg.DialTimeout)
	}
}

// TestSilentLogin: a broker that does not answer a login counts as silent too.
func TestSilentLogin(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = []string{silent(t), "other:1"}
	cfg.DialTimeout = 600 * time.Millisecond
	cfg.SASL = SASL{Mechanism: ScramSHA512, Username: "worker", Password: secret.String(rand.Text())}
	b := newBrokers(cfg)
	d := NewDialer(cfg)
	d.DialFunc = b.dial(cfg.opener(0))
	for range 2 { // the second time with a short timeout
		conn, err := d.DialContext(t.Context(), "tcp", cfg.Brokers[0])
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("conn = %v, err = %v; want a timeout", conn, err)
		}
		for b.timeout(cfg.Brokers[0]) != silentTimeout { // recorded by another goroutine, about now
			runtime.Gosched()
		}
	}
}

// TestTimeout: a broker is silent until its next answer, and has a short timeout only
// while there is another one to ask.
func TestTimeout(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = []string{"a:1", "b:1"}
	b := newBrokers(cfg)
	short := func(want ...string) {
		t.Helper()
		for _, address := range cfg.Brokers {
			limit := cfg.DialTimeout
			for _, w := range want {
				if w == address {
					limit = silentTimeout
				}
			}
			if got := b.timeout(address); got != limit {
				t.Errorf("%s is given %v; want %v", address, got, limit)
			}
		}
	}
	b.record("a:1", time.Millisecond, context.DeadlineExceeded) // its caller had no time left
	b.record("a:1", time.Second, errors.New("refused"))
	short()
	b.record("a:1", cfg.DialTimeout, context.DeadlineExceeded)
	short("a:1")
	b.record("b:1", cfg.DialTimeout, context.DeadlineExceeded)
	short() // there is no better one
	b.record("b:1", time.Millisecond, nil)
	short("a:1")
	b.record("a:1", time.Millisecond, nil)
	short()
}

// TestShortAttemptsEnd: a broker that needs longer than the short timeout gets its whole
// time again after a while, however often it is tried meanwhile.
func TestShortAttemptsEnd(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = []string{"a:1", "b:1"}
	b := newBrokers(cfg)
	b.record("a:1", cfg.DialTimeout, context.DeadlineExceeded)
	b.silent["a:1"] = time.Now().Add(time.Second - silentFor) // almost over
	b.record("a:1", silentTimeout, context.DeadlineExceeded)
	if left := silentFor - time.Since(b.silent["a:1"]); left > time.Second {
		t.Errorf("an attempt with the short timeout makes the broker silent for %v more", left)
	}
	b.silent["a:1"] = time.Now().Add(-silentFor)
	if got := b.timeout("a:1"); got != cfg.DialTimeout {
		t.Errorf("%v after a while, want %v", got, cfg.DialTimeout)
	}
	b.record("a:1", cfg.DialTimeout, context.DeadlineExceeded)
	if got := b.timeout("a:1"); got != silentTimeout {
		t.Errorf("%v after another attempt that took its whole time, want %v", got, silentTimeout)
	}
}

// TestConnectorRemembers: what one dialer has found out about a broker, the others of the
// same connector know. Else each would wait for an hour here.
func TestConnectorRemembers(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers, cfg.DialTimeout = []string{silent(t), "other:1"}, time.Hour
	c := NewConnector(cfg)
	c.brokers.record(cfg.Brokers[0], cfg.DialTimeout, os.ErrDeadlineExceeded)
	for name, dial := range map[string]func(ctx context.Context, network, address string) (net.Conn, error){
		"dialer": c.Dialer().DialFunc, "buffered": c.BufferedDialer(1 << 10).DialFunc, "transport": c.Transport().Dial,
	} {
		if _, err := dial(t.Context(), "tcp", cfg.Brokers[0]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want a timeout", name, err)
		}
	}
}

// TestACallersTimeIsNotTheBrokers: a broker that is asked in the last moment of its caller's
// time is not said to be out of reach.
func TestACallersTimeIsNotTheBrokers(t *testing.T) {
	t.Parallel()
	for name, addr := range map[string]string{"reachable": answering(t), "silent": silent(t)} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		cfg := DefaultConfig()
		cfg.Brokers = []string{addr}
		_, err := newBrokers(cfg).dial(cfg.opener(0))(ctx, "tcp", addr)
		cancel()
		var op *net.OpError
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
