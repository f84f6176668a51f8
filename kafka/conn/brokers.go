package conn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// silentFor is how long a broker that gave no answer is thought to be silent.
	silentFor = 30 * time.Second
	// hastyTimeout is what such a one is given while there are others.
	hastyTimeout = 500 * time.Millisecond
)

// brokers knows which of the configured ones gave no answer lately.
//
// Whoever joins a group asks the brokers in the order of the list, goes on with
// the first that takes a connection, and does so several times in a row. One
// that hangs, or whose machine is gone, costs a timeout each time: together more
// than a member may be away, so that a group would never come to rest.
type brokers struct {
	cfg Config

	mu     sync.Mutex
	silent map[string]time.Time // when it was found so, of cfg.Brokers; guarded by mu
}

func newBrokers(cfg Config) *brokers {
	return &brokers{cfg: cfg, silent: make(map[string]time.Time, len(cfg.Brokers))}
}

// dialFunc opens a connection to host:port.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dial gives a function that opens connections to brokers that answer.
func (b *brokers) dial(open openFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		began, patience := time.Now(), b.patience(address)
		trying, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		c, err := open(trying, network, address)
		if err == nil && b.cfg.SASL.Mechanism != "" {
			// The login is a question too, and a broker takes no other before it
			// but the one that kafka-go asks.
			c.limit(ctx, patience-time.Since(began), func(err error) { b.note(address, time.Since(began), err) })
			return c, nil
		}
		if err == nil {
			err = c.ask(trying)
		}
		b.note(address, time.Since(began), err)
		if err != nil {
			return nil, err
		}
		c.ready.Store(true)
		return c, nil
	}
}

// patience is how long to wait for a broker.
func (b *brokers) patience(address string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isSilent(address) {
		return b.cfg.DialTimeout
	}
	for _, other := range b.cfg.Brokers {
		if !b.isSilent(other) {
			return min(hastyTimeout, b.cfg.DialTimeout)
		}
	}
	return b.cfg.DialTimeout
}

func (b *brokers) isSilent(address string) bool {
	at, found := b.silent[address]
	return found && time.Since(at) < silentFor
}

// note remembers how an attempt ended that took so long. One that was cut short
// by its caller tells nothing; a broker that refuses has said something.
func (b *brokers) note(address string, took time.Duration, err error) {
	timeout, ok := errors.AsType[net.Error](err)
	ok = ok && timeout.Timeout()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ok && took >= min(hastyTimeout, b.cfg.DialTimeout):
		b.silent[address] = time.Now()
	case err == nil:
		delete(b.silent, address)
	}
}

// ask asks the broker for the versions of requests that it knows, which every
// broker answers. On an error the connection is closed.
func (c *conn) ask(ctx context.Context) error {
	unhook := context.AfterFunc(ctx, func() { _ = c.Close() })
	k := kafka.NewConnWith(c, kafka.ConnConfig{ClientID: c.cfg.ClientID})
	if deadline, ok := ctx.Deadline(); ok {
		_ = k.SetDeadline(deadline) // fails on a closed connection, as its use does
	}
	_, err := k.ApiVersions()
	if err == nil && unhook() {
		return c.SetDeadline(time.Time{})
	}
	unhook()
	_ = c.Close() // it may be closed already, which says nothing
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("broker %s takes connections and does not answer: %w", c.addr, os.ErrDeadlineExceeded)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}
