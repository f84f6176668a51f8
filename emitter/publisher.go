package emitter

import (
	"context"
	"fmt"
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
	produce func(ctx context.Context, partition int, ms []message) error // the cable's
}

// Encoded is an event in its encoded form, with the decoded one of which its
// envelope is made.
type Encoded struct {
	Event *event.Event
	Value []byte    // published as it is
	Time  time.Time // of the record; now where it is zero, or too old for the topic
}

// Refusal is an event that can never be written: it has no key, is too large for
// the topic, or the broker calls the record itself invalid.
type Refusal struct {
	Encoded
	Err error
}

// Published says what became of the events of one call, each of which is in one
// of the three places.
type Published struct {
	Written int
	Refused []Refusal
	Left    []Encoded // in their order; to be handed over again before any newer one
}

// NewPublisher makes a publisher. No connection is opened before the first call.
// Of cfg it uses neither the buffer's bounds nor attempts and backoff: when to
// try again is the caller's.
func NewPublisher(cfg Config) (*Publisher, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("configure publisher: %w", err)
	}
	cfg = cfg.withDefaults()
	c := newTopicClient(cfg)
	return &Publisher{cfg: cfg, topic: c, limit: newSendLimit(), produce: c.produce}, nil
}

// MaxEventBytes is the size beyond which Check refuses an event; a value that is
// larger by itself need not be decoded.
func (p *Publisher) MaxEventBytes() int { return p.cfg.MaxEventBytes }

// Check reports why an event could never be published: a permanent error, which
// wraps [ErrTooLarge] when it exceeds Config.MaxEventBytes.
func (p *Publisher) Check(ev *event.Event, value []byte) error {
	_, err := newMessage(ev, value, p.cfg.MaxEventBytes)
	return err
}

// Publish tries once to write events, all partitions at the same time and one
// request after another within each, so that events of one key stay in order as
// long as whatever is left is handed over again before anything newer. A write
// whose time ran out may have happened: then its events are repeated, but each
// one's first occurrence is still in order.
//
// On a slow line events are sent a part at a time, each with WriteTimeout to itself,
// and no further ones after the first that fails.
//
// The error says why something is left, and is nil exactly when nothing is. An
// error that is not about a single event, a missing permission for instance,
// leaves the events: they are as good as they were. It is [ErrRefused] where
// somebody has to mend something.
func (p *Publisher) Publish(ctx context.Context, events []Encoded) (Published, error) {
	var out Published
	ms := make([]message, 0, len(events))
	for i, ev := range events {
		m, err := newMessage(ev.Event, ev.Value, p.cfg.MaxEventBytes)
		if err != nil {
			out.Refused = append(out.Refused, Refusal{ev, err})
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
	out.leave(events, append(left, ms...))
	return out, p.cfg.explain(err)
}

// attempt tries once to write messages, which have that size together, and notes in
// out what became of them. It gives those that are left, and why.
func (p *Publisher) attempt(ctx context.Context, ms []message, size int, events []Encoded, out *Published) ([]message, error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, p.cfg.WriteTimeout)
	defer cancel()
	parts, err := p.topic.partition(limited, ms)
	if err != nil {
		return ms, err
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		left []message // guarded by mu
		last error     // guarded by mu
	)
	for id, part := range parts {
		wg.Go(func() {
			wrote, refused, err := p.write(limited, id, part)
			mu.Lock()
			defer mu.Unlock()
			for _, r := range refused {
				out.Refused = append(out.Refused, Refusal{events[r.seq], r.err})
			}
			out.Written += wrote - len(refused)
			if err != nil {
				left, last = append(left, part[wrote:]...), err
			}
		})
	}
	wg.Wait()
	switch {
	case last == nil && time.Since(began) < p.cfg.WriteTimeout/3:
		p.limit.double(size) // twice as much will not take too long
	case len(left) == len(ms) && limited.Err() != nil && ctx.Err() == nil:
		p.limit.halve(size)
	}
	return left, last
}

// leave puts messages back among what is left, in the order of the call.
func (out *Published) leave(events []Encoded, ms []message) {
	is := make(map[uint64]bool, len(ms))
	for i := range ms {
		is[ms[i].seq] = true
	}
	for i := range events {
		if is[uint64(i)] {
			out.Left = append(out.Left, events[i])
		}
	}
}

// refusedMessage is a message that the broker will never take.
type rejectedMessage struct {
	seq uint64
	err error
}

// write writes one partition's messages in order. It gives how many from the
// front are settled, and which of those were refused. A batch that the broker
// refuses for what is in it is halved until the culprit is alone.
func (p *Publisher) write(ctx context.Context, partition int, ms []message) (settled int, refused []rejectedMessage, err error) {
	// The cable's requests are batches of a bounded size, too.
	for settled < len(ms) {
		n, size := 0, 0
		for settled+n < len(ms) && n < p.cfg.BatchEvents && (n == 0 || size+ms[settled+n].size <= p.cfg.BatchBytes) {
			size += ms[settled+n].size
			n++
		}
		done, no, err := p.writeBatch(ctx, partition, ms[settled:settled+n])
		settled += done
		refused = append(refused, no...)
		if err != nil {
			return settled, refused, err
		}
	}
	return settled, refused, nil
}

func (p *Publisher) writeBatch(ctx context.Context, partition int, ms []message) (settled int, refused []rejectedMessage, err error) {
	err = p.produce(ctx, partition, ms)
	switch {
	case err == nil:
		return len(ms), nil, nil
	case !aboutRecords(err):
		return 0, nil, err
	case len(ms) == 1:
		return 1, []rejectedMessage{{ms[0].seq, err}}, nil
	}
	half := len(ms) / 2
	settled, refused, err = p.writeBatch(ctx, partition, ms[:half])
	if err != nil {
		return settled, refused, err
	}
	more, also, err := p.writeBatch(ctx, partition, ms[half:])
	return settled + more, append(refused, also...), err
}

// Close lets go of all connections; a call of Publish in flight fails.
func (p *Publisher) Close() { p.topic.close() }
