package conn

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// silentFor is how long a broker that did not answer is considered silent.
	silentFor = 30 * time.Second
	// silentTimeout is the timeout for a silent broker while there are others.
	silentTimeout = 500 * time.Millisecond
	// noTime is too little to say anything about a broker.
	noTime = 20 * time.Millisecond
)

// brokers remembers which of the configured brokers did not answer lately.
//
// A group member asks the brokers in the order of the list, uses the first that
// accepts a connection, and does so several times in a row. Each time, a broker that
// hangs or whose machine is gone costs a timeout: together more than a member may be
// away, so that the group would never settle.
type brokers struct {
	cfg   Config
	letIn atomic.Bool // one of them has served a request that needs the right settings

	mu     sync.Mutex
	silent map[string]time.Time // since when; guarded by mu
}

func newBrokers(cfg Config) *brokers {
	return &brokers{cfg: cfg, silent: make(map[string]time.Time, len(cfg.Brokers))}
}

// dial returns a function that opens connections to brokers that answer.
func (b *brokers) dial(open openFunc) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		began, timeout := time.Now(), b.timeout(address)
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		c, err := open(limited, network, address)
		if err == nil {
			c.letIn = &b.letIn
		}
		if err == nil && b.cfg.SASL.Mechanism != "" {
			// The login replaces ask: until it is done, a broker answers nothing but
			// the requests that kafka-go makes for it.
			c.limitLogin(ctx, timeout-time.Since(began), func(err error) { b.record(address, time.Since(began), err) })
			return c, nil
		}
		if err == nil {
			err = c.ask(limited)
		}
		b.record(address, time.Since(began), err)
		if err != nil && ctx.Err() != nil && time.Since(began) < noTime {
			// Others used up the caller's time. That this one could not be reached in what was
			// left says nothing about it.
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		c.loginDone.Store(true)
		return c, nil
	}
}

// timeout returns how long to wait for a broker's answer.
func (b *brokers) timeout(address string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isSilent(address) {
		return b.cfg.DialTimeout
	}
	for _, other := range b.cfg.Brokers {
		if !b.isSilent(other) {
			return min(silentTimeout, b.cfg.DialTimeout)
		}
	}
	return b.cfg.DialTimeout
}

// isSilent reports whether a broker is considered silent. The caller holds mu.
func (b *brokers) isSilent(address string) bool {
	at, found := b.silent[address]
	return found && time.Since(at) < silentFor
}

// record remembers the outcome of an attempt that lasted for took. One that its
// caller cut short proves nothing, and any error but a timeout is an answer.
func (b *brokers) record(address string, took time.Duration, err error) {
	var netErr net.Error
	ok := errors.As(err, &netErr)
	timedOut := ok && netErr.Timeout()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case timedOut && took >= min(silentTimeout, b.cfg.DialTimeout):
		// Attempts with the short timeout do not prolong it: a broker far away may need more
		// time than that, and would never get it again.
		if !b.isSilent(address) {
			b.silent[address] = time.Now()
		}
	case err == nil:
		delete(b.silent, address)
	}
}

// ask sends ApiVersions, which every broker answers. On an error it closes the
// connection.
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
	_ = c.Close() // an error only means that it is closed already
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		return &brokerError{text: "broker " + c.addr + " accepts connections but does not answer", err: os.ErrDeadlineExceeded}
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}
