package sidecar

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/serve"
)

// Config says where the sidecar listens and what it accepts. A zero field means its
// default.
type Config struct {
	// Listen is host:port; default 127.0.0.1:8788. Port 0 means any free one.
	Listen string
	// Token is the bearer token of every request. It is required unless Listen is on
	// loopback.
	Token secret.String
	// Strict rejects events with fields that evalworker does not know.
	Strict bool

	// MaxBodyBytes bounds a body, also after decompression; default 4 MiB. An event in it
	// that is larger than its topic takes is accepted without its content; a larger body
	// is refused, because nobody reads it.
	MaxBodyBytes int64
	// Concurrency bounds the requests in flight; default 64. Together with
	// MaxBodyBytes it bounds the memory.
	Concurrency int
	// RequestTimeout bounds how long a body may take to arrive, and how long its
	// events may take to be safe; default 30s.
	RequestTimeout time.Duration
	// Grace bounds how long Run goes on after its context has ended, while requests
	// finish and the spool is sent; default 20s.
	Grace time.Duration

	// BatchEvents and BatchBytes bound a batch that is sent to Kafka; default 500 and
	// 1,000,000.
	BatchEvents, BatchBytes int
	// BackoffMin and BackoffMax bound the pause after a failed attempt to send, which
	// doubles from one to the next; default 100ms and 5s.
	BackoffMin, BackoffMax time.Duration
}

// DefaultConfig listens on loopback, port 8788, without a token.
func DefaultConfig() Config { return Config{}.withDefaults() }

func (c Config) withDefaults() Config {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8788")
	c.MaxBodyBytes = cmp.Or(c.MaxBodyBytes, 4<<20)
	c.Concurrency = cmp.Or(c.Concurrency, 64)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 30*time.Second)
	c.Grace = cmp.Or(c.Grace, 20*time.Second)
	c.BatchEvents = cmp.Or(c.BatchEvents, 500)
	c.BatchBytes = cmp.Or(c.BatchBytes, 1_000_000)
	c.BackoffMin = cmp.Or(c.BackoffMin, 100*time.Millisecond)
	c.BackoffMax = cmp.Or(c.BackoffMax, max(5*time.Second, c.BackoffMin))
	return c
}

// minConns is above the clients of one machine, and below its file descriptors.
const minConns = 512

// maxConns bounds the connections. Half of them may be busy with requests, the others
// are for probes and for clients that are turned away.
func (c Config) maxConns() int { return max(minConns, 2*c.Concurrency) }

// spoolBodies is how many requests of full size a spool must hold: with fewer, one
// client's burst could fill it.
const spoolBodies = 4

// MinSpoolBytes returns the least size of a spool for MaxBodyBytes.
func (c Config) MinSpoolBytes() int64 {
	return spoolBodies * min(c.withDefaults().MaxBodyBytes, math.MaxInt64/spoolBodies)
}

// Validate returns every fault of the configuration, after defaults.
func (c Config) Validate() fault.List {
	c = c.withDefaults()
	var faults fault.List
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		faults.Add("listen", fmt.Sprintf("%q is not an address", c.Listen), "want host:port, such as 127.0.0.1:8788")
	case c.Token == "" && !secret.Loopback(host):
		faults.Add("listen", fmt.Sprintf("%q is reachable from other machines, and there is no token", c.Listen), "want a loopback address, or a token")
	}
	if n := len(c.Token.Reveal()); n > 0 && n < serve.MinToken {
		faults.Add("token", fmt.Sprintf("%d bytes are too few", n), fmt.Sprintf("want at least %d, such as openssl rand -hex 32 makes", serve.MinToken))
	}
	for _, n := range []struct {
		path  string
		value int64
	}{
		{"max_body_bytes", c.MaxBodyBytes},
		{"concurrency", int64(c.Concurrency)},
		{"batch_events", int64(c.BatchEvents)},
		{"batch_bytes", int64(c.BatchBytes)},
		{"request_timeout", int64(c.RequestTimeout)},
		{"grace", int64(c.Grace)},
		{"backoff_min", int64(c.BackoffMin)},
	} {
		if n.value < 1 {
			faults.Add(n.path, "below zero", "want a value above zero, or zero for the default")
		}
	}
	if c.BackoffMax < c.BackoffMin {
		faults.Add("backoff_max", fmt.Sprintf("%v is shorter than backoff_min (%v)", c.BackoffMax, c.BackoffMin), "want at least backoff_min")
	}
	return faults
}
