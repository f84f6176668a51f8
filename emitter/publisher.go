package emitter

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/evalworker/evalworker/event"
)

// Publisher writes events in order, for programs that keep them somewhere safe
// until Kafka has accepted them. It buffers nothing and starts no goroutine that
// outlives a call. An application that must not wait uses an [Emitter].
type Publisher struct {
	cfg     Config
	topic   *topicClient
	limit   *sendLimit
	produce func(ctx context.Context, partition int, ms []message) error // of topic
}

// EncodedEvent is an event in its encoded form, with the decoded one for the envelope.
type EncodedEvent struct {
	Event *event.Event
	Value []byte    // published as it is
	Time  time.Time // of the record; now if it is zero, or too old for the topic
}

// RejectedEvent is an event that can never be written: it has no request id, is too
// large for the topic, or the broker calls the record itself invalid.
type RejectedEvent struct {
	EncodedEvent
	Err error
}

// PublishResult says what became of the events of one call. Each of them is in one
// field.
type PublishResult struct {
	Written  int
	Rejected []RejectedEvent
	Left     []EncodedEvent // in their order; to be published again before any newer one
}

// NewPublisher returns a publisher. No connection is opened before the first call.
// It ignores the settings of the buffer, attempts and backoff in cfg: the caller
// decides when to try again. It writes to Kafka itself: Config.Sidecar has no meaning.
func NewPublisher(cfg Config) (*Publisher, error) {
	cfg.Sidecar = ""
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("configure publisher: %w", err)
	}
	cfg = cfg.withDefaults()
	topic := newTopicClient(cfg)
	return &Publisher{cfg: cfg, topic: topic, limit: &sendLimit{bytes: math.MaxInt}, produce: topic.produce}, nil
}

// MaxEventBytes returns the largest size that Check allows. A value that is larger by
// itself need not be decoded.
func (p *Publisher) MaxEventBytes() int { return p.cfg.MaxEventBytes }

// Check returns the error of an event that could never be published: an
// [event.Error], which wraps [ErrTooLarge] if the event exceeds Config.MaxEventBytes.
func (p *Publisher) Check(ev *event.Event, value []byte) error {
	_, err := newMessage(ev, value, p.cfg.MaxEventBytes)
	return err
}

// Publish tries once to write events: all partitions at the same time, and one
// request after another within each, so that events of one key stay in order if
// the caller publishes what is left before anything newer. A write that timed out
// may have happened; its events are then repeated, but the first occurrence of each
// is still in order.
//
// On a slow line events are sent in parts, each with WriteTimeout to itself, and
// none after the first part that fails.
//
// The error says why something is left, and is nil exactly if nothing is. An error
// that is not about a single event, such as a missing permission, leaves the events
// for another try. It is [ErrNoAccess] if someone has to mend something.
func (p *Publisher) Publish(ctx context.Context, events []EncodedEvent) (PublishResult, error) {
	var out PublishResult
	ms := make([]message, 0, len(events))
	for i, ev := range events {
		m, err := newMessage(ev.Event, ev.Value, p.cfg.MaxEventBytes)
		if err != nil {
			out.Rejected = append(out.Rejected, RejectedEvent{ev, err})
			continue
		}
		if m.seq = uint64(i); !ev.Time.IsZero() {
			m.time = ev.Time
		}
		ms = append(ms, m)
	}
	var left []message
	var err error
	for len(ms) > 0 && err == nil {
		n, size := p.limit.next(ms)
		left, err = p.attempt(ctx, ms[:n], size, events, &out)
		ms = ms[n:]
	}
	left = append(left, ms...)
	slices.SortFunc(left, func(a, b message) int { return cmp.Compare(a.seq, b.seq) })
	for i := range left {
		out.Left = append(out.Left, events[left[i].seq])
	}
	return out, explain(err)
}

// attempt tries once to write messages of the given total size, and records their
// outcome in out. It returns those that are left, and why.
func (p *Publisher) attempt(ctx context.Context, ms []message, size int, events []EncodedEvent, out *PublishResult) ([]message, error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, p.cfg.WriteTimeout)
	defer cancel()
	var left []message
	tried := false // whether anything was written at all, whatever came of it
	parts, err := p.topic.split(limited, ms)
	if err != nil {
		left = ms
	}
	var (
		writing sync.WaitGroup
		mu      sync.Mutex // guards out and what is above, as long as parts are written
	)
	for _, part := range parts {
		writing.Add(1)
		go func() {
			defer writing.Done()
			settled, rejected, failed := p.write(limited, part.id, part.messages)
			mu.Lock()
			defer mu.Unlock()
			tried = true
			for _, r := range rejected {
				out.Rejected = append(out.Rejected, RejectedEvent{events[r.seq], r.err})
			}
			out.Written += settled - len(rejected)
			if failed != nil {
				left, err = append(left, part.messages[settled:]...), failed
			}
		}()
	}
	writing.Wait()
	switch {
	case err == nil && time.Since(began) < p.cfg.WriteTimeout/3:
		p.limit.double(size) // twice as much will not take too long
	case tried && len(left) == len(ms) && limited.Err() != nil && ctx.Err() == nil:
		p.limit.halve(size) // unless it was the look-up that took all the time
	}
	return left, err
}

// rejectedMessage is a message that the broker will never accept.
type rejectedMessage struct {
	seq uint64
	err error
}

// write writes one partition's messages in order. It returns how many of them, from
// the front, are settled, and which of those were rejected. A batch that the broker
// rejects for its records is halved until the culprit is alone, or until each part fits
// into a request, and then grows back.
func (p *Publisher) write(ctx context.Context, partition int, ms []message) (settled int, rejected []rejectedMessage, err error) {
	limit := p.cfg.BatchEvents
	for settled < len(ms) {
		n, _ := prefix(ms[settled:], limit, p.cfg.BatchBytes)
		err := p.produce(ctx, partition, ms[settled:settled+n])
		switch {
		case err == nil:
			settled += n
			limit = min(2*limit, p.cfg.BatchEvents)
		case !aboutRecords(err):
			return settled, rejected, err
		case n > 1:
			limit = n / 2
		default:
			rejected = append(rejected, rejectedMessage{ms[settled].seq, err})
			settled++
			limit = p.cfg.BatchEvents
		}
	}
	return settled, rejected, nil
}

// Close closes all connections; a call of Publish in flight fails.
func (p *Publisher) Close() { p.topic.close() }

// sendLimit adapts how much a [Publisher] sends at a time. A line too slow for a
// whole batch within WriteTimeout would otherwise never carry any of it, because
// each attempt starts from the beginning.
type sendLimit struct {
	mu    sync.Mutex
	bytes int // guarded by mu
}

// next returns how many of the messages to send now, at least one, and their size.
func (l *sendLimit) next(ms []message) (n, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return prefix(ms, len(ms), l.bytes)
}

// halve makes the limit half of a size that was too much.
func (l *sendLimit) halve(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes = size / 2
}

// double makes the limit at least twice a size that was sent quickly.
func (l *sendLimit) double(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes = max(l.bytes, 2*size)
}
