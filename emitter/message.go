package emitter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/evalworker/evalworker/event"
)

// message is an encoded event with its key and headers.
type message struct {
	id       event.RequestID
	key      []byte
	value    []byte
	headers  []event.Header
	withheld string // why the event is without content; empty when it has it
	anew     bool   // the value was encoded again, because the one that was given is too large
	size     int
	seq      uint64 // order of acceptance, from 1
	time     time.Time
}

// prefix returns how many messages from the front, at least one, are within a number
// of events and bytes, and their size.
func prefix(ms []message, events, bytes int) (n, size int) {
	for n < min(len(ms), events) && (n == 0 || size+ms[n].size <= bytes) {
		size += ms[n].size
		n++
	}
	return n, size
}

// Upper bounds of the bytes that Kafka's record format (version 2) adds: lengths and
// deltas as variable-size integers.
const (
	recordOverhead = 36
	headerOverhead = 10
)

// maxScratch bounds the memory that is kept for encoding the next event.
const maxScratch = 64 << 10

// complete fills in the fields that an application may leave out.
func (e *Emitter) complete(ctx context.Context, ev *event.Event) {
	if ev.Kind == "" {
		ev.Kind = event.KindRequestCompleted
	}
	if ev.OccurredAt.IsZero() {
		ev.OccurredAt = time.Now()
	}
	// Readers decode a rating to lower case, and the headers have to agree.
	ev.UserRating = event.Rating(strings.ToLower(strings.TrimSpace(string(ev.UserRating))))
	if len(ev.TraceContext) == 0 && ev.TraceID == "" && e.cfg.TraceContext != nil {
		e.contain("TraceContext", func() { ev.TraceContext = e.cfg.TraceContext(ctx) })
	}
}

func (e *Emitter) encode(ev *event.Event) (message, error) {
	scratch, _ := e.scratch.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	*scratch = appendEvent((*scratch)[:0], ev)
	value := slices.Clone(*scratch) // of the right size, which the buffer's bound counts
	if cap(*scratch) <= maxScratch {
		e.scratch.Put(scratch)
	}
	return e.cfg.fit(ev, value)
}

// newMessage returns the message of an event: its encoded form with the envelope in
// the headers. limit bounds its size.
func newMessage(ev *event.Event, value []byte, limit int) (message, error) {
	if err := ev.Check(); err != nil {
		return message{}, err
	}
	m := message{id: ev.RequestID, withheld: ev.ContentWithheld, value: value, headers: ev.Headers(), time: time.Now()}
	m.size = recordOverhead + len(value)
	for i := range m.headers {
		h := &m.headers[i]
		h.Value = validUTF8(h.Value)
		m.size += headerOverhead + len(h.Key) + len(h.Value)
		// The trace, which comes after the request id, or else that.
		if h.Key == event.HeaderRequestID || h.Key == event.HeaderTraceID && len(h.Value) > 0 {
			m.key = h.Value
		}
	}
	m.size += len(m.key)
	if m.size > limit {
		return message{}, &event.Error{Reason: event.TooLarge, Err: fmt.Errorf("%w: %.100s has %d bytes, the limit is %d", ErrTooLarge, ev.RequestID, m.size, limit)}
	}
	return m, nil
}

// validUTF8 replaces each invalid byte as encoding/json does in the body, so that
// headers and body agree.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string([]rune(string(b))))
}
