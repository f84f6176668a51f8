package dlq

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/stream"
)

// prepare makes the message to publish for a letter, or says why there is none.
func (r *redrive) prepare(ctx context.Context, l *Letter) (*message, Refusal, string, error) {
	switch {
	case l.Origin.Topic == "":
		return nil, RefusedForeign, "it does not name its origin: no worker wrote it", nil
	case l.Origin.Topic != r.q.cfg.Topic:
		return nil, RefusedTopic, fmt.Sprintf("it died in topic %s, and kafka.topic is %s", l.Origin.Topic, r.q.cfg.Topic), nil
	case l.Redrives >= r.o.MaxRedrives:
		return nil, RefusedLimit, fmt.Sprintf("it was redriven %d times and died each time; --max-redrives is %d", l.Redrives, r.o.MaxRedrives), nil
	}
	m := &message{key: l.Key, value: l.Value, headers: l.Headers}
	if l.Truncated != "" {
		whole, trace, err := r.q.original(ctx, l)
		if err != nil {
			return nil, "", "", err
		}
		if trace != TraceThere {
			return nil, RefusedTruncated, fmt.Sprintf("it lacks its %s, and the whole is no longer at %v (%s)", l.Truncated, l.Origin, trace), nil
		}
		m = whole
	}
	m.headers = append(slices.Clip(m.headers),
		eval.Header{Key: stream.HeaderRedrives, Value: strconv.AppendInt(nil, int64(l.Redrives)+1, 10)})
	if fault := hopeless(m, r.q.cfg.MaxMessageBytes); fault != nil && !r.o.Force {
		return nil, RefusedHopeless, "it would die again: " + fault.Error(), nil
	}
	return m, "", "", nil
}

// hopeless gives the fault of which a message would die in a worker of this
// version and configuration, if that is certain.
func hopeless(m *message, maxBytes int) error {
	if n := size(m.key, m.value, m.headers); n > maxBytes {
		return fmt.Errorf("%s: %d bytes, and kafka.max_message_bytes is %d", eval.ReasonTooLarge, n, maxBytes)
	}
	_, err := eval.DecodeEvent(m.value)
	return err
}

// WouldDie says of which fault a letter would die again for certain, in a worker
// of this version and configuration; "" when that is not known. Of a letter that
// was cut nothing is known without its origin.
func (q *Queue) WouldDie(l *Letter) string {
	if l.Truncated != "" {
		return ""
	}
	if err := hopeless(&message{key: l.Key, value: l.Value, headers: l.Headers}, q.cfg.MaxMessageBytes); err != nil {
		return err.Error()
	}
	return ""
}
