package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// TestOldestAge: the lag in seconds is the age of the oldest message in flight; while
// nothing is, it is the time since the partition was read to its end, or that of the
// last message.
func TestOldestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPartition(t.Context(), 0, 0)
		expect := func(what string, high int64, want time.Duration) {
			t.Helper()
			if got := p.oldestAge(p.tracker.progress(), high); got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		start := time.Now()
		expect("nothing there", 0, 0)
		expect("a backlog of which nothing was read", 10, -1)
		p.noteReadTo(start.Add(-time.Hour))
		expect("a backlog that is being skipped", 10, time.Hour)

		slow := p.tracker.begin(0, start.Add(-time.Minute))
		quick := p.tracker.begin(1, start.Add(-30*time.Second))
		expect("two in flight", 10, time.Minute)
		p.tracker.finish(quick)
		<-time.After(time.Second)
		expect("the slow one is left", 2, time.Minute+time.Second)
		p.tracker.finish(slow)
		expect("all finished", 2, 0)

		p.noteReadTo(time.Now()) // the broker has no more
		<-time.After(3 * time.Second)
		expect("idle", 2, 0)
		expect("more came after that", 3, 3*time.Second)
		p.noteReadTo(start.Add(-2 * time.Hour))
		expect("an old message does not undo that", 3, 3*time.Second)

		ahead := p.tracker.begin(2, time.Now().Add(time.Hour))
		expect("a clock that is ahead", 3, 0)
		p.tracker.finish(ahead)
		p.noteReadTo(time.Now().Add(time.Hour))
		<-time.After(time.Second)
		expect("read from a clock that is ahead", 4, time.Second)
		for _, unknown := range []time.Time{{}, time.UnixMilli(-1)} {
			s := p.tracker.begin(p.tracker.progress().next, unknown)
			expect("a message without a time", 9, -1)
			p.tracker.finish(s)
		}
	})
}

// TestStatusShowsTheAge: /statusz has the age of a message in flight by the time of its
// record, and 0 when all is finished.
func TestStatusShowsTheAge(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	old := time.Now().Add(-time.Hour)
	release := make(chan struct{})
	w := b.start(Deps{Handle: func(ctx context.Context, _ event.Message) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	w.owns(1)
	b.publishMessages(0, kafka.Message{Value: []byte("old"), Time: old})
	b.eventually("it is in flight", func() bool { return w.Status().InFlight == 1 })
	if age := w.Status().Partitions[0].OldestAgeSeconds; age < 3600 || age > 3600+patience.Seconds() {
		t.Errorf("%v s, want an hour", age)
	}
	close(release)
	b.eventually("all is finished", func() bool {
		p := w.Status().Partitions[0]
		return p.Unfinished == 0 && p.OldestAgeSeconds == 0
	})
}
