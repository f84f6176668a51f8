package emitter

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// message is an encoded event on its way.
type message struct {
	id      event.RequestID
	key     []byte
	value   []byte
	headers []kafka.Header
	size    int
	seq     uint64 // order of acceptance, from 1
	time    time.Time
}

// Upper bounds of what the record format (version 2) adds: lengths and deltas
// as variable-size integers.
const (
	recordOverhead = 36
	headerOverhead = 10
)

// complete fills in what an application may leave out.
func (e *Emitter) complete(ctx context.Context, ev *event.Event) {
	if ev.Kind == "" {
		ev.Kind = event.KindRequestCompleted
	}
	if ev.OccurredAt.IsZero() {
		ev.OccurredAt = time.Now()
	}
	// A reader sees a rating in lower case; the headers have to say the same.
	ev.UserRating = event.Rating(strings.ToLower(strings.TrimSpace(string(ev.UserRating))))
	if len(ev.TraceContext) == 0 && ev.TraceID == "" && e.cfg.TraceContext != nil {
		ev.TraceContext = e.cfg.TraceContext(ctx)
	}
}

// encode makes the message of an event.
func (e *Emitter) encode(ev *event.Event) (message, error) {
	value, err := encodeBody(*ev)
	if err != nil {
		return message{}, &event.Error{Reason: event.Malformed, Err: fmt.Errorf("encode event %s: %w", ev.RequestID, err)}
	}
	return e.message(ev, value)
}

// encodeBody is json.Marshal, but for the four fields that hold most of an
// event: they are JSON already and are copied, where encoding/json would read
// every byte again: 30 instead of 720 microseconds for 32 KB of output.
func encodeBody(ev event.Event) ([]byte, error) {
	type field struct {
		prefix string
		raw    json.RawMessage
	}
	var fields [4]field
	size := 0
	for i, c := range [...]struct {
		prefix  string
		content *event.Content
	}{{`,"input":`, &ev.Input}, {`,"output":`, &ev.Output}, {`,"expected":`, &ev.Expected}, {`,"tools":`, &ev.Tools}} {
		fields[i] = field{c.prefix, c.content.Raw()}
		size += len(c.prefix) + len(fields[i].raw)
		*c.content = event.Content{}
	}
	rest, err := json.Marshal(ev)
	if err != nil {
		return nil, err
	}
	// An event always has members, so what follows begins with a comma.
	b := append(make([]byte, 0, len(rest)+size), rest[:len(rest)-1]...)
	for _, f := range fields {
		if len(f.raw) > 0 {
			b = append(append(b, f.prefix...), f.raw...)
		}
	}
	return append(b, '}'), nil
}

// message puts the envelope of an event around its encoded form.
func (e *Emitter) message(ev *event.Event, value []byte) (message, error) {
	return newMessage(ev, value, e.cfg.MaxEventBytes)
}

func newMessage(ev *event.Event, value []byte, limit int) (message, error) {
	switch {
	case ev.RequestID == "":
		return message{}, &event.Error{Reason: event.Malformed, Err: fmt.Errorf("missing request_id")}
	case ev.Kind != event.KindRequestCompleted && ev.Kind != event.KindUserFeedback:
		return message{}, &event.Error{Reason: event.UnknownEvent, Err: fmt.Errorf("event %s: kind is none of %s, %s", ev.RequestID, event.KindRequestCompleted, event.KindUserFeedback)}
	}
	m := message{id: ev.RequestID, value: value, time: time.Now()}
	if trace, _ := ev.Origin(); !trace.IsZero() {
		m.key = []byte(trace.String())
	} else {
		m.key = valid([]byte(ev.RequestID))
	}
	m.size = recordOverhead + len(m.key) + len(value)
	for _, h := range ev.Headers() {
		v := valid(h.Value)
		m.headers = append(m.headers, kafka.Header{Key: h.Key, Value: v})
		m.size += headerOverhead + len(h.Key) + len(v)
	}
	if m.size > limit {
		return message{}, &event.Error{Reason: event.TooLarge, Err: fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrTooLarge, ev.RequestID, m.size, limit)}
	}
	return m, nil
}

// valid replaces each byte that is no UTF-8 as encoding/json does in the body,
// so that headers and body agree.
func valid(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string([]rune(string(b))))
}
