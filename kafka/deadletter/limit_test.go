package deadletter

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// TestLimit: a run redrives that many letters, and the next one the rest.
func TestLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	for p := range 2 {
		b.write(b.cfg.DeadLetters(), p, b.letter(fmt.Sprintf("%d-0", p), eval.ReasonPanic, 10*p), b.letter(fmt.Sprintf("%d-1", p), eval.ReasonPanic, 10*p+1))
	}
	for _, want := range [][]string{{"0-0 redriven", "0-1 redriven", "1-0 redriven"}, {"1-1 redriven"}, nil} {
		got, _ := b.redrive(Filter{Limit: 3}, DefaultOptions())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestLimitPassesSkipped: letters that every run skips, for the program's reasons or
// the broker's, do not keep it from the ones behind them.
func TestLimitPassesSkipped(t *testing.T) {
	t.Parallel()
	const most = 2000
	b := newBench(t, 1, func(c *broker.Config) { c.MaxMessageBytes = most })
	// With the header of a redrive it is more than the broker accepts.
	large := kafka.Record{Value: eventValue("r"), Headers: []kafka.Header{{Key: "noise", Value: noise(most - 150)}}}
	b.write(b.cfg.Topic, 0, large)
	truncated := kafka.Record{Headers: b.letter("", eval.ReasonPanic, 0, kafka.Header{Key: consumer.HeaderTruncated, Value: []byte(consumer.TruncatedAll)}).Headers[2:]}
	hopeless := b.letter("hopeless", eval.ReasonMalformed, 1)
	hopeless.Value = nil
	b.write(b.cfg.DeadLetters(), 0, truncated, hopeless)
	for i := range 4 {
		b.write(b.cfg.DeadLetters(), 0, b.letter(fmt.Sprint(i), eval.ReasonPanic, 2+i))
	}
	refused := []string{" refused broker_refuses", "hopeless refused hopeless"}
	for _, want := range [][]string{{"0 redriven"}, {"1 redriven"}} {
		got, _ := b.redrive(Filter{Limit: 1}, DefaultOptions())
		if diff := cmp.Diff(append(refused, want...), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestDuplicatesOverRuns: of two letters of one message one is redriven, even if the
// limit is reached between them, and the other does not count in the next run.
func TestDuplicatesOverRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	b.write(b.cfg.DeadLetters(), 0, b.letter("a", eval.ReasonPanic, 0), b.letter("a", eval.ReasonPanic, 0), b.letter("b", eval.ReasonPanic, 1))
	b.write(b.cfg.DeadLetters(), 1, b.letter("b", eval.ReasonPanic, 1))
	for _, want := range [][]string{{"a redriven"}, {"a duplicate", "b redriven"}, {"b duplicate"}, nil} {
		got, _ := b.redrive(Filter{Limit: 1, Reason: eval.ReasonPanic}, DefaultOptions())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, keys(b.messages(b.cfg.Topic, 0))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}
