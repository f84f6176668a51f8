package emitter

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
)

// DefaultTopic is the topic that workers read by default.
const DefaultTopic = "llm.requests.completed"

// How connections are secured, as for the worker that reads the topic.
type (
	// TLS says how connections are encrypted.
	TLS = conn.TLS
	// SASL says how the application logs in. With AWS_MSK_IAM, set Sign to the method
	// of a [github.com/evalworker/evalworker/emitter/mskiam.Signer].
	SASL = conn.SASL
	// Secret is a password. It prints as [REDACTED]; a string converts to it.
	Secret = secret.String
)

// Mechanisms returns the values of SASL.Mechanism, apart from the empty one.
func Mechanisms() []string { return conn.Mechanisms() }

// Config says where events go and what they may cost on the way. A zero field means
// its default: Brokers alone are a complete Config.
type Config struct {
	// Brokers are host:port addresses of any brokers of the cluster. Required, unless
	// Sidecar is set.
	Brokers []string
	// Sidecar is the URL of a sidecar ("emitter serve"), such as http://127.0.0.1:8788,
	// that takes the events in place of Kafka, for applications that have no login there.
	// What it has answered for is on its disk, and survives this process. What concerns
	// Kafka alone (Topic, ClientID, TLS, SASL, Compression) has no meaning then.
	Sidecar string
	// SidecarToken is the sidecar's token; empty for one on loopback that wants none.
	SidecarToken Secret
	// Topic to publish to; default [DefaultTopic].
	Topic string
	// ClientID names this application in the brokers' logs and quotas; default
	// "evalworker-emitter".
	ClientID string
	// DialTimeout bounds one attempt to connect; default 5s.
	DialTimeout time.Duration
	// TLS encrypts connections and SASL logs in on them; by default neither does.
	TLS  TLS
	SASL SASL

	// BufferEvents and BufferBytes bound the events that were accepted and are not
	// yet written; default 10,000 events and 64 MiB.
	BufferEvents int
	BufferBytes  int
	// Block makes Emit wait for room until its context is done. By default a full
	// buffer is an error at once: [ErrFull].
	Block bool

	// MaxEventBytes bounds one event with its key and headers. A larger one goes without
	// its content ([event.Event.ContentWithheld]). Default 1,000,000, which stays below
	// the 1,048,588 of Kafka's message.max.bytes. Workers accept up to 10 MiB
	// (kafka.max_message_bytes), if the topic does as well.
	MaxEventBytes int
	// BatchEvents and BatchBytes bound one batch; default 500 events and
	// MaxEventBytes, so that a batch fits wherever a single event does.
	BatchEvents int
	BatchBytes  int
	// Linger is how long a batch that is not full waits for more; default 10ms.
	Linger time.Duration
	// InFlight bounds the batches on their way at once; default 4.
	InFlight int
	// Compression of batches: none, gzip, snappy, lz4 or zstd; default snappy.
	Compression string

	// WriteTimeout bounds one attempt to write a batch; default 10s.
	WriteTimeout time.Duration
	// RetryFor is how long an event is tried, counted from its first attempt: it is
	// given up at the first failure after that time. Default 2 minutes, or no limit
	// when MaxAttempts is set.
	RetryFor time.Duration
	// MaxAttempts bounds the attempts for one event, the first included; by default
	// only RetryFor does.
	MaxAttempts int
	// BackoffMin and BackoffMax bound the pause between attempts, which doubles
	// from one to the next and is shortened at random by up to a half; default
	// 100ms and 5s.
	BackoffMin, BackoffMax time.Duration
	// CloseTimeout bounds Close when its context has no deadline; default 10s.
	CloseTimeout time.Duration

	// TraceContext returns the propagation headers of the span in ctx, for events
	// that carry no trace of their own. Nil adds none. The package ddtrace has one
	// for Datadog, and [Traceparent] builds the headers for any W3C tracer.
	TraceContext func(ctx context.Context) map[string]string
	// Prepare is called by Emit with each event before it is encoded, on the caller's
	// goroutine; false leaves the event out. It may change the event as it likes, its
	// lists, maps and numbers too: they are copies, and the application's own values
	// stay as they are. Only the bytes of [event.Content.Raw] are shared. It redacts,
	// hashes or shortens what must not reach Kafka: Redactor.Prepare of the package
	// redact is one. After a panic the event goes without its content. By default
	// nothing is called and nothing is copied.
	Prepare func(*event.Event) bool
	// KeepMedia publishes pictures, sounds and files as they are. By default a digest,
	// type and size stand for them ([event.ReplaceMedia]): workers do not use the bytes.
	KeepMedia bool
	// Unsent is called with events at the moment they are given up, at most BatchEvents
	// at a time, and the error of their last attempt. It may keep the events, for
	// example in a file. It runs on the goroutines that send and in Close, so it must be
	// quick, safe for concurrent use, and call neither Flush nor Close, which wait for it.
	// If nil, only Flush and Close report them.
	Unsent func(events []UnsentEvent, err error)
	// Logger is told what goes wrong, each trouble at once and then once a minute with
	// a count, and at Info that it is over. Lines hold ids and errors, never content.
	// Its handler must not call Flush or Close either. Nil is silent.
	Logger *slog.Logger
	// A panic of TraceContext, Prepare, Unsent or Logger is contained: it is counted
	// (Stats.Panics), and the event goes on.
}

// DefaultConfig returns the defaults for a broker on this machine.
func DefaultConfig() Config {
	return Config{Brokers: []string{"localhost:9092"}}.withDefaults()
}

func (c Config) withDefaults() Config {
	c.Topic = cmp.Or(c.Topic, DefaultTopic)
	c.ClientID = cmp.Or(c.ClientID, "evalworker-emitter")
	c.DialTimeout = cmp.Or(c.DialTimeout, 5*time.Second)
	c.BufferEvents = cmp.Or(c.BufferEvents, 10_000)
	c.BufferBytes = cmp.Or(c.BufferBytes, 64<<20)
	c.MaxEventBytes = cmp.Or(c.MaxEventBytes, 1_000_000)
	c.BatchEvents = cmp.Or(c.BatchEvents, 500)
	c.BatchBytes = cmp.Or(c.BatchBytes, c.MaxEventBytes)
	c.Linger = cmp.Or(c.Linger, 10*time.Millisecond)
	c.InFlight = cmp.Or(c.InFlight, 4)
	c.Compression = cmp.Or(c.Compression, "snappy")
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	if c.RetryFor == 0 && c.MaxAttempts == 0 {
		c.RetryFor = 2 * time.Minute
	}
	c.RetryFor = cmp.Or(c.RetryFor, math.MaxInt64)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, math.MaxInt)
	c.BackoffMin = cmp.Or(c.BackoffMin, 100*time.Millisecond)
	c.BackoffMax = cmp.Or(c.BackoffMax, max(5*time.Second, c.BackoffMin))
	c.CloseTimeout = cmp.Or(c.CloseTimeout, 10*time.Second)
	return c
}

// Validate returns every fault of the configuration with its defaults applied.
func (c Config) Validate() fault.List {
	c = c.withDefaults()
	var faults fault.List
	if c.Sidecar != "" {
		faults = c.validateSidecar()
	} else {
		faults = c.conn().Validate()
	}
	if c.SASL.Mechanism == conn.AWSMSKIAM && c.SASL.Sign == nil {
		faults.Add("sasl.sign", "missing: AWS_MSK_IAM signs its logins", "mskiam.New().Sign of the package emitter/mskiam")
	}
	if !isTopicName(c.Topic) {
		faults.Add("topic", fmt.Sprintf("%q is not a topic name", c.Topic), "want up to 249 letters, digits, dots, dashes and underscores")
	}
	for _, n := range []struct {
		path  string
		value int
	}{
		{"buffer_events", c.BufferEvents},
		{"buffer_bytes", c.BufferBytes},
		{"max_event_bytes", c.MaxEventBytes},
		{"batch_events", c.BatchEvents},
		{"batch_bytes", c.BatchBytes},
		{"in_flight", c.InFlight},
		{"max_attempts", c.MaxAttempts},
	} {
		if n.value < 1 {
			faults.Add(n.path, fmt.Sprintf("%d is too small", n.value), "want a number above zero, or zero for the default")
		}
	}
	for _, d := range []struct {
		path  string
		value time.Duration
	}{
		{"linger", c.Linger},
		{"write_timeout", c.WriteTimeout},
		{"retry_for", c.RetryFor},
		{"backoff_min", c.BackoffMin},
		{"close_timeout", c.CloseTimeout},
	} {
		if d.value < 0 {
			faults.Add(d.path, fmt.Sprintf("%v is below zero", d.value), "want a duration above zero, or zero for the default")
		}
	}
	if c.BackoffMax < c.BackoffMin {
		faults.Add("backoff_max", fmt.Sprintf("%v is shorter than backoff_min (%v)", c.BackoffMax, c.BackoffMin), "want at least backoff_min")
	}
	if c.BufferBytes > 0 && c.BufferBytes < c.MaxEventBytes {
		faults.Add("buffer_bytes", fmt.Sprintf("%d cannot hold an event of %d bytes", c.BufferBytes, c.MaxEventBytes), "want at least max_event_bytes")
	}
	if !slices.Contains(Compressions(), c.Compression) {
		faults.Add("compression", fmt.Sprintf("unknown compression %q", c.Compression), "want one of "+strings.Join(Compressions(), ", "))
	}
	return faults
}

// isTopicName reports whether Kafka allows a topic of that name.
func isTopicName(name string) bool {
	const longest, allowed = 249, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return name != "" && len(name) <= longest && strings.Trim(name, allowed) == "" && name != "." && name != ".."
}

func (c Config) conn() conn.Config {
	return conn.Config{Brokers: c.Brokers, ClientID: c.ClientID, DialTimeout: c.DialTimeout, TLS: c.TLS, SASL: c.SASL}
}
