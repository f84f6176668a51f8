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

	"github.com/evalworker/evalworker/internal/config/secret"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// silent is a broker that takes connections and says nothing: one that was
// frozen, or whose disk hangs.
func silent(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // the kernel takes connections for it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

// TestSilentBroker: a dialer does not give a connection to a broker that does
// not answer, and hurries past it from then on as long as there is another.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	broker, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	cfg := DefaultConfig()
	cfg.Brokers = []string{silent(t), broker.Addr()}
	cfg.DialTimeout = 600 * time.Millisecond
	b := newBrokers(cfg)
	dial := b.dial(cfg.opener(0))

	if _, err := dial(t.Context(), "tcp", cfg.Brokers[0]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("err = %v; want a timeout", err)
	}
	if got := b.patience(cfg.Brokers[0]); got != hastyTimeout {
		t.Errorf("it is given %v; want %v", got, hastyTimeout)
	}
	conn, err := dial(t.Context(), "tcp", cfg.Brokers[1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got := b.patience(cfg.Brokers[1]); got != cfg.DialTimeout {
		t.Errorf("the one that answers is given %v; want %v", got, cfg.DialTimeout)
	}
}

// TestSilentLogin: with a login nothing is asked before it, and a broker that does
// not answer that is as silent.
func TestSilentLogin(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = []string{silent(t), "other:1"}
	cfg.DialTimeout = 600 * time.Millisecond
	cfg.SASL = SASL{Mechanism: ScramSHA512, Username: "worker", Password: secret.String(rand.Text())}
	b := newBrokers(cfg)
	d := NewDialer(cfg)
	d.DialFunc = b.dial(cfg.opener(0))
	for range 2 { // the second time in haste
		conn, err := d.DialContext(t.Context(), "tcp", cfg.Brokers[0])
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("conn = %v, err = %v; want a timeout", conn, err)
		}
		for b.patience(cfg.Brokers[0]) != hastyTimeout { // noted by another goroutine, about now
			runtime.Gosched()
		}
	}
}

// What is known of a broker ends with its next answer, and counts only while
// there is another one to ask.
func TestPatience(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = []string{"a:1", "b:1"}
	b := newBrokers(cfg)
	hasty := func(want ...string) {
		t.Helper()
		for _, address := range cfg.Brokers {
			limit := cfg.DialTimeout
			for _, w := range want {
				if w == address {
					limit = hastyTimeout
				}
			}
			if got := b.patience(address); got != limit {
				t.Errorf("%s is given %v; want %v", address, got, limit)
			}
		}
	}
	b.note("a:1", time.Millisecond, context.DeadlineExceeded) // its caller had no time left
	b.note("a:1", time.Second, errors.New("refused"))
	hasty()
	b.note("a:1", cfg.DialTimeout, context.DeadlineExceeded)
	hasty("a:1")
	b.note("b:1", cfg.DialTimeout, context.DeadlineExceeded)
	hasty() // nobody is better
	b.note("b:1", time.Millisecond, nil)
	hasty("a:1")
	b.note("a:1", time.Millisecond, nil)
	hasty()
}
