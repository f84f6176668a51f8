package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// deadLetters reads n dead letters: value to headers.
func (b *testbed) deadLetters(n int) map[string]map[string]string {
	b.t.Helper()
	out := make(map[string]map[string]string)
	dialer := conn.NewDialer(b.cfg.Config)
	var ids []kafka.Partition
	b.eventually("the dead letter topic is there", func() bool {
		var err error
		ids, err = dialer.LookupPartitions(b.t.Context(), "tcp", b.cfg.Brokers[0], b.cfg.DeadLetters())
		return err == nil && len(ids) > 0
	})
	letters := make(chan kafka.Message, n)
	for _, p := range ids {
		r := kafka.NewReader(kafka.ReaderConfig{
			Brokers: b.cfg.Brokers, Topic: b.cfg.DeadLetters(), Partition: p.ID, MaxWait: 50 * time.Millisecond, MinBytes: 1, MaxBytes: 10 << 20,
		})
		b.t.Cleanup(func() { r.Close() })
		go func() {
			for {
				m, err := r.FetchMessage(b.t.Context())
				if err != nil {
					return
				}
				letters <- m
			}
		}()
	}
	for range n {
		m := receive(b.t, letters)
		headers := map[string]string{"": string(m.Key)}
		for _, h := range m.Headers {
			if _, twice := headers[h.Key]; twice {
				b.t.Errorf("header %s is there twice", h.Key)
			}
			headers[h.Key] = string(h.Value)
		}
		out[string(m.Value)] = headers
	}
	return out
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.cfg.MaxMessageBytes = 2000
	big := strings.Repeat("x", 3000)
	b.publish(0, "fine", "impossible", "panics", "skip panics")
	b.publishMessages(0, kafka.Message{Value: []byte(big)}, kafka.Message{
		Key: []byte("k"), Value: []byte("again"),
		Headers: []kafka.Header{{Key: HeaderReason, Value: []byte("old")}, {Key: "mine", Value: []byte("kept")}, {Key: HeaderRedrives, Value: []byte("2")}},
	})
	var notes notebook
	w := b.start(Deps{
		Skip: func(m *event.Message) bool {
			if string(m.Value) == "skip panics" {
				panic("content of the message")
			}
			return false
		},
		Handle: func(ctx context.Context, m event.Message) error {
			_ = notes.Handle(ctx, m) // never fails
			switch string(m.Value) {
			case "impossible", "again":
				return fmt.Errorf("decode: %w", eval.Permanent(eval.ReasonMalformed, errors.New("output: a JSON number, want a string")))
			case "panics":
				panic(errors.New("content of the message"))
			}
			return nil
		},
	})
	letter := func(key string, offset int, reason eval.Reason, text string, attempts int) map[string]string {
		return map[string]string{
			"": key, HeaderReason: string(reason), HeaderError: text, HeaderAttempts: fmt.Sprint(attempts),
			HeaderOriginTopic: b.cfg.Topic, HeaderOriginPartition: "0", HeaderOriginOffset: fmt.Sprint(offset),
		}
	}
	with := func(m map[string]string, key, value string) map[string]string { m[key] = value; return m }
	want := map[string]map[string]string{
		"impossible": with(letter("key impossible", 1, eval.ReasonMalformed, "decode: malformed: output: a JSON number, want a string", 1), "h", "impossible"),
		"panics":     with(letter("key panics", 2, eval.ReasonPanic, "panic: a panic with a *errors.errorString", 1), "h", "panics"),
		"skip panics": with(letter("key skip panics", 3, eval.ReasonPanic, "panic: a panic with a string", 0),
			"h", "skip panics"),
		big: letter("", 4, eval.ReasonTooLarge, "too_large: 3000 bytes, of which 2000 are allowed", 0),
		"again": with(with(letter("k", 5, eval.ReasonMalformed, "decode: malformed: output: a JSON number, want a string", 1), "mine", "kept"),
			HeaderRedrives, "2"),
	}
	if diff := cmp.Diff(want, b.deadLetters(5)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	b.eventually("all committed", func() bool { return b.stored(0) == 6 })
	if diff := cmp.Diff(once([]string{"fine", "impossible", "panics", "again"}), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if err := w.halt(); err != nil {
		t.Errorf("Run: %v", err)
	}
	wantCounts := map[string]int{"consumed": 6, "dead malformed": 2, "dead panic": 2, "dead too_large": 1}
	if diff := cmp.Diff(wantCounts, w.seen.counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// TestDeadLettersWaitForTheBroker: a dead letter that is not accepted is tried again;
// only then the message is done.
func TestDeadLettersWaitForTheBroker(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.createTopic(b.cfg.DeadLetters(), 1)
	b.publish(0, "impossible")
	restore := b.broker.RefuseWrites(b.cfg.DeadLetters())
	w := b.start(Deps{Handle: func(context.Context, event.Message) error {
		return eval.Permanent(eval.ReasonMalformed, errors.New("no event"))
	}})
	b.eventually("the stall is seen", func() bool { return strings.HasPrefix(w.Status().Stalled, "dead letters are not accepted: ") })
	if got := w.seen.count("consumed"); got != 0 || b.stored(0) > 0 {
		t.Errorf("%d consumed, committed %d, while the dead letter is refused", got, b.stored(0))
	}
	restore()
	b.eventually("it is committed", func() bool { return b.stored(0) == 1 })
	if got := w.seen.count("dead malformed"); got != 1 {
		t.Errorf("%d dead letters counted, want 1", got)
	}
	b.deadLetters(1)
}

// TestADeadLetterThatIsTooLargeIsCut: a message that is as large as the broker accepts
// leaves no room for the headers of a dead letter. The letter has no value then, and
// the partition goes on.
func TestADeadLetterThatIsTooLargeIsCut(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.broker.Close()
	broker := b.restart(broker.Config{Addr: b.broker.Addr(), MaxMessageBytes: 2000, Topics: map[string]int32{b.cfg.Topic: 1}})
	b.broker = broker
	large := bytes.Repeat([]byte("x"), 1800)
	b.publishMessages(0, kafka.Message{Key: []byte("value"), Value: large})
	b.publishMessages(0, kafka.Message{Value: []byte("v"), Headers: []kafka.Header{{Key: "large", Value: large}, {Key: HeaderRedrives, Value: []byte("3")}}})
	b.start(Deps{Handle: func(context.Context, event.Message) error {
		return eval.Permanent(eval.ReasonMalformed, errors.New("no event"))
	}})
	b.eventually("both committed", func() bool { return b.stored(0) == 2 })
	dialer := conn.NewDialer(b.cfg.Config)
	ids, err := dialer.LookupPartitions(t.Context(), "tcp", b.cfg.Brokers[0], b.cfg.DeadLetters())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string) // origin offset to what was cut
	letters := make(chan kafka.Message, 2)
	for _, p := range ids {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: b.cfg.Brokers, Topic: b.cfg.DeadLetters(), Partition: p.ID, MaxWait: 50 * time.Millisecond})
		t.Cleanup(func() { r.Close() })
		go func() {
			for {
				m, err := r.FetchMessage(t.Context())
				if err != nil {
					return
				}
				letters <- m
			}
		}()
	}
	for range 2 {
		m := receive(t, letters)
		headers := make(map[string]string)
		for _, h := range m.Headers {
			headers[h.Key] = string(h.Value)
		}
		got[headers[HeaderOriginOffset]] = headers[HeaderTruncated] + " " + headers[HeaderRedrives]
	}
	if diff := cmp.Diff(map[string]string{"0": "value ", "1": "value,headers 3"}, got); diff != "" {
		t.Errorf("cut (-want +got):\n%s", diff)
	}
}

// TestDeadLettersOnACompactedTopic: such a topic accepts no message without a key, so a
// letter gets the place of its message as its key, and says so.
func TestDeadLettersOnACompactedTopic(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.eventually("compacted topic made", func() bool {
		res, err := b.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: b.cfg.DeadLetters(), NumPartitions: 1, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: "cleanup.policy", ConfigValue: "compact"}},
		}}})
		return err == nil && (res.Errors[b.cfg.DeadLetters()] == nil || errors.Is(res.Errors[b.cfg.DeadLetters()], kafka.TopicAlreadyExists))
	})
	b.publishMessages(0, kafka.Message{Value: []byte("keyless")}, kafka.Message{Key: []byte("k"), Value: []byte("keyed")})
	b.start(Deps{Handle: func(context.Context, event.Message) error {
		return eval.Permanent(eval.ReasonMalformed, errors.New("no event"))
	}})
	b.eventually("both committed", func() bool { return b.stored(0) == 2 })
	letters := b.deadLetters(2)
	if got := letters["keyed"]; got[""] != "k" || got[HeaderKeyAdded] != "" {
		t.Errorf("the letter with a key: key %q, %s %q", got[""], HeaderKeyAdded, got[HeaderKeyAdded])
	}
	// The embedded broker accepts any key; Apache Kafka does not.
	if got := letters["keyless"]; got[""] != "" && (got[""] != "0:0" || got[HeaderKeyAdded] != "true") || got[""] == "" && b.broker == nil {
		t.Errorf("the letter without a key: key %q, %s %q", got[""], HeaderKeyAdded, got[HeaderKeyAdded])
	}
}
