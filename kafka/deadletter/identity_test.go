package deadletter

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// TestRecreatedTopic: the topic of events was deleted and made again, so its offsets
// begin at 0 while the letters of the first one are still there. Two letters with the
// same origin can then be of two messages, and both are redriven.
func TestRecreatedTopic(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	other := b.letter("a", eval.ReasonPanic, 5)
	other.Value = eventValue("a", `,"output":"another"`)
	b.write(b.cfg.DeadLetters(), 0,
		b.letter("a", eval.ReasonPanic, 5), // of the first topic
		b.letter("b", eval.ReasonPanic, 5), // of the second one
		other,
		b.letter("b", eval.ReasonPanic, 5),
	)
	got, totals := b.redrive(Filter{}, DefaultOptions())
	if diff := cmp.Diff([]string{"a redriven", "b redriven", "a redriven", "b duplicate"}, got); diff != "" || totals != (Totals{Redriven: 3, Duplicates: 1}) {
		t.Errorf("%+v (-want +got):\n%s", totals, diff)
	}
	if diff := cmp.Diff([]string{"a", "a", "b"}, keys(b.messages(b.cfg.Topic, 0))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestTruncatedTwins: a truncated letter is compared with others by the message at its
// origin, not by what the letter still has.
func TestTruncatedTwins(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.write(b.cfg.Topic, 0, newEvent("a"))
	truncated := b.letter("a", eval.ReasonPanic, 0, kafka.Header{Key: consumer.HeaderTruncated, Value: []byte(consumer.TruncatedValue)})
	truncated.Value = nil
	old := b.letter("a", eval.ReasonPanic, 0) // whole, and of an older topic's offset 0
	old.Value = eventValue("a", `,"output":"older"`)
	again := truncated
	again.Key = kafka.NewBytes([]byte("a"))
	b.write(b.cfg.DeadLetters(), 0, old, truncated, again)
	got, _ := b.redrive(Filter{}, DefaultOptions())
	if diff := cmp.Diff([]string{"a redriven", "a redriven", "a duplicate"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	headers := func(fields ...string) (out []event.Header) {
		for i := 0; i < len(fields); i += 2 {
			out = append(out, event.Header{Key: fields[i], Value: []byte(fields[i+1])})
		}
		return out
	}
	at := Origin{"events", 1, 2}
	seen := map[identity]int{}
	for i, x := range []struct {
		at Origin
		m  message
	}{
		{at, message{}},
		{Origin{"events", 1, 3}, message{}},
		{Origin{"events", 2, 2}, message{}},
		{Origin{"event", 1, 2}, message{}},
		{at, message{key: []byte("ab")}},
		{at, message{value: []byte("ab")}},
		{at, message{key: []byte("a"), value: []byte("b")}},
		{at, message{headers: headers("a", "b")}},
		{at, message{headers: headers("ab", "")}},
		{at, message{headers: headers("a", "", "b", "")}},
		{at, message{headers: headers("b", "", "a", "")}},
		{at, message{value: []byte("0\n"), headers: headers("", "")}},
	} {
		id := identify(x.at, &x.m)
		if other, ok := seen[id]; ok {
			t.Errorf("messages %d and %d are one", other, i)
		}
		seen[id] = i
		if id != identify(x.at, &x.m) {
			t.Errorf("message %d is not itself", i)
		}
	}
}

// TestIdentitySetIsBounded: old messages are forgotten, and the last ones are not.
func TestIdentitySetIsBounded(t *testing.T) {
	t.Parallel()
	var r identitySet
	id := func(i int) identity { return identity{byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range 2 * maxIdentities {
		r.add(id(i))
		if i >= maxIdentities/2 && !r.has(id(i-maxIdentities/2)) {
			t.Fatalf("%d is forgotten at %d", i-maxIdentities/2, i)
		}
	}
	if n := len(r.young) + len(r.old); n > maxIdentities || r.has(id(0)) {
		t.Errorf("%d remembered", n)
	}
}
