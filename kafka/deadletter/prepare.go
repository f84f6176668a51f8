package deadletter

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// whole gives the message that died, or says why it cannot be had or may not be
// published.
func (r *redriveRun) prepare(ctx context.Context, l *Letter) (*message, Refusal, string, error) {
	switch {
	case l.Origin.Topic == "":
		return nil, RefusedForeign, "it does not name its origin: no worker wrote it", nil
	case l.Origin.Topic != r.q.cfg.Topic:
		return nil, RefusedTopic, fmt.Sprintf("it died in topic %s, and kafka.topic is %s", l.Origin.Topic, r.q.cfg.Topic), nil
	case l.Redrives >= r.opts.MaxRedrives:
		return nil, RefusedLimit, limitDetail(l.Redrives, r.opts.MaxRedrives), nil
	}
	if l.Truncated == "" {
		return l.message(), "", "", nil
	}
	m, trace, err := r.q.original(ctx, l)
	if err == nil && trace != TraceThere {
		return nil, RefusedTruncated, fmt.Sprintf("it lacks its %s, and the whole is no longer at %v (%s)", l.Truncated, l.Origin, trace), nil
	}
	return m, "", "", err
}

// message is the message that died, as far as the letter has it.
func (l *Letter) message() *message { return &message{key: l.Key, value: l.Value, headers: l.Headers} }

// redriven gives the message as it is published for the nth time: with a header
// more, which counts towards its size.
func (m *message) withRedrives(n int) *message {
	return &message{key: m.key, value: m.value, headers: append(slices.Clip(m.headers),
		event.Header{Key: consumer.HeaderRedrives, Value: strconv.AppendInt(nil, int64(n), 10)})}
}

// hopeless gives the fault of which a message would die in a worker of this
// version and configuration, if that is certain. It is that which would be
// published, the header of a redrive included.
func certainFault(m *message, maxBytes int) error {
	if n := size(m.key, m.value, m.headers); n > maxBytes {
		return fmt.Errorf("%s: %d bytes, and kafka.max_message_bytes is %d", eval.ReasonTooLarge, n, maxBytes)
	}
	_, err := event.Decode(m.value)
	return err
}

// WouldDie says of which fault a letter would die again for certain, in a worker
// of this version and configuration; "" when that is not known. Of a letter that
// was cut nothing is known without its origin.
func (q *Queue) WouldDie(l *Letter) string {
	if l.Truncated != "" {
		return ""
	}
	if err := certainFault(l.message().withRedrives(l.Redrives+1), q.cfg.MaxMessageBytes); err != nil {
		return err.Error()
	}
	return ""
}

// tooOften says that a letter has had its redrives.
func limitDetail(redrives, most int) string {
	if redrives == 1 {
		return fmt.Sprintf("it was redriven once and died again; --max-redrives is %d", most)
	}
	return fmt.Sprintf("it was redriven %d times and died each time; --max-redrives is %d", redrives, most)
}
