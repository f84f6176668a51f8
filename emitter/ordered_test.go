package emitter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// TestAPartitionIsWrittenInOrder: whatever a broker answers, a partition's messages are
// written in order and without a gap, except for those that it will never accept.
func TestAPartitionIsWrittenInOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test that can be repeated
		var ms []message
		poison := map[uint64]bool{}
		for i := range uint64(40) {
			ms = append(ms, message{seq: i, size: 10})
			poison[i] = rng.IntN(10) == 0
		}
		var written, refused []uint64
		p := &Publisher{cfg: Config{BatchEvents: 1 + rng.IntN(20), BatchBytes: 10 + rng.IntN(200)}}
		p.produce = func(_ context.Context, _ int, batch []message) error {
			if rng.IntN(5) == 0 {
				return kafka.NotEnoughReplicas
			}
			if slices.ContainsFunc(batch, func(m message) bool { return poison[m.seq] }) {
				return kafka.InvalidRecord
			}
			for _, m := range batch {
				written = append(written, m.seq)
			}
			return nil
		}
		for left := ms; len(left) > 0; {
			settled, no, err := p.write(t.Context(), 0, left)
			for _, r := range no {
				refused = append(refused, r.seq)
			}
			if (err == nil) != (settled == len(left)) {
				t.Fatalf("seed %d: %d of %d settled with %v", seed, settled, len(left), err)
			}
			left = left[settled:]
		}
		if !slices.IsSorted(written) || len(written)+len(refused) != len(ms) {
			t.Errorf("seed %d: written %v, refused %v", seed, written, refused)
		}
		for _, seq := range refused {
			if !poison[seq] {
				t.Errorf("seed %d: %d was refused for the fault of another", seed, seq)
			}
		}
	}
}

// TestABatchThatWasTooLargeGrowsBack: two events that fit into a request each, but not
// into one together, must not make the events behind them travel one by one.
func TestABatchThatWasTooLargeGrowsBack(t *testing.T) {
	t.Parallel()
	const most = 1000
	var ms []message
	for i := range uint64(500) {
		ms = append(ms, message{seq: i, size: 1})
	}
	ms[0].size, ms[1].size = 600, 600
	requests := 0
	p := &Publisher{cfg: Config{BatchEvents: 500, BatchBytes: 10_000}}
	p.produce = func(_ context.Context, _ int, batch []message) error {
		requests++
		size := 0
		for _, m := range batch {
			size += m.size
		}
		if size > most {
			return kafka.MessageSizeTooLarge
		}
		return nil
	}
	if settled, rejected, err := p.write(t.Context(), 0, ms); settled != len(ms) || len(rejected) > 0 || err != nil {
		t.Fatalf("%d settled, %d rejected, %v", settled, len(rejected), err)
	}
	if requests > 40 {
		t.Errorf("%d requests for %d events", requests, len(ms))
	}
}

// TestWhatHasBecomeTooOldIsWrittenAsOfNow: an outage can outlast the age that a topic
// allows its records.
func TestWhatHasBecomeTooOldIsWrittenAsOfNow(t *testing.T) {
	t.Parallel()
	began := time.Now().Truncate(time.Millisecond)           // as records are
	c := &cluster{answer: func(batch []record) kafka.Error { // as Kafka validates them
		for _, r := range batch {
			if r.time.Before(began.Add(-time.Hour)) {
				return kafka.InvalidTimestamp
			}
		}
		return 0
	}}
	p := publisherOn(t, c, Config{BatchEvents: 100})
	var events []EncodedEvent
	for i := range 300 {
		at := began.Add(-2 * time.Hour)
		if i >= 200 {
			at = began.Add(-time.Minute)
		}
		ev := &event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint(i))}
		events = append(events, EncodedEvent{Event: ev, Value: []byte("{}"), Time: at})
	}
	out, err := p.Publish(t.Context(), events)
	if err != nil || out.Written != 300 || len(out.Rejected) != 0 {
		t.Fatalf("Publish = %d written, %d refused, %v", out.Written, len(out.Rejected), err)
	}
	for i, r := range c.took {
		if r.key != fmt.Sprint(i) || i < 200 && r.time.Before(began) || i >= 200 && !r.time.Equal(events[i].Time) {
			t.Errorf("record %d is %s of %v, accepted %v", i, r.key, r.time, events[i].Time)
		}
	}
}
