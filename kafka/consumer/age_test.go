package consumer

import (
	"context"
	"errors"
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
			if got := p.oldestAge(p.tracker.progress(), high, false); got != want {
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

		if got := p.oldestAge(p.tracker.progress(), 2, true); got != 3*time.Second {
			t.Errorf("at its end, and cannot be read: %v, want the 3 seconds for which more may be there", got)
		}

		fresh := newPartition(t.Context(), 1, 5)
		<-time.After(4 * time.Second)
		if got := fresh.oldestAge(fresh.tracker.progress(), unknownOffset, true); got != 4*time.Second {
			t.Errorf("never read, and cannot be: %v, want the 4 seconds for which it is ours", got)
		}
		given := fresh.tracker.begin(5, time.Now().Add(-time.Minute))
		fresh.tracker.giveBack(given)
		if got := fresh.oldestAge(fresh.tracker.progress(), 6, false); got != time.Minute {
			t.Errorf("given back, and not finished: %v, want its age of a minute", got)
		}

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

// TestStatusOfAPartitionThatCannotBeRead: what is not known is not 0, and the lag in
// seconds grows.
func TestStatusOfAPartitionThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		c, err := New(cfg, Deps{Handle: func(context.Context, event.Message) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		p := newPartition(t.Context(), 0, 5)
		p.high.Store(5)
		p.noteReadTo(time.Now())
		c.joined, c.partitions[0] = true, p
		expect := func(what string, lag, unfinished int64, age float64) {
			t.Helper()
			got := c.Status().Partitions[0]
			if got.Lag != lag || got.Unfinished != unfinished || got.OldestAgeSeconds != age {
				t.Errorf("%s: lag %d, unfinished %d, age %v; want %d, %d, %v", what, got.Lag, got.Unfinished, got.OldestAgeSeconds, lag, unfinished, age)
			}
		}
		<-time.After(time.Minute)
		expect("read to its end", 0, 0, 0)
		p.outage.Fail(errors.New("no leader"))
		expect("cannot be read", -1, -1, 60)
		<-time.After(time.Minute)
		expect("a minute later", -1, -1, 120)
		p.outage.End()
		p.noteReadTo(time.Now())
		expect("read again", 0, 0, 0)
	})
}

// TestStatusWhileNobodySaysWhereAPartitionEnds: a reader that waits for room asks no
// broker for the end; when the look-ups of it are not answered either, what has come
// since is not known.
func TestStatusWhileNobodySaysWhereAPartitionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := New(DefaultConfig(), Deps{Handle: func(context.Context, event.Message) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		p := newPartition(t.Context(), 0, 5)
		p.raiseHigh(8, time.Now())
		p.tracker.begin(5, time.Now())
		c.joined, c.partitions[0] = true, p
		for _, step := range []struct {
			after           time.Duration
			asked           bool
			lag, unfinished int64
			age             float64
		}{
			{minEndAge, false, 3, 3, 30},
			{time.Second, false, -1, -1, 31},
			{time.Minute, false, -1, -1, 91},
			{0, true, 5, 5, 91},
		} {
			<-time.After(step.after)
			if step.asked {
				p.raiseHigh(10, time.Now())
				p.raiseHigh(10, time.Now().Add(-time.Hour)) // an answer that comes late
			}
			if got := c.Status().Partitions[0]; got.Lag != step.lag || got.Unfinished != step.unfinished || got.OldestAgeSeconds != step.age {
				t.Errorf("lag %d, unfinished %d, age %v; want %+v", got.Lag, got.Unfinished, got.OldestAgeSeconds, step)
			}
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
	w := b.start(Deps{Handle: heldUntil(release)})
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
