package consumer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// gatekeeper is a handler that holds some messages until the test releases them.
type gatekeeper struct {
	notebook
	held    map[string]chan struct{} // value to the channel that releases it
	entered chan string              // values held, as they come
	ended   chan error               // causes of contexts that ended while held
}

func newGatekeeper(hold ...string) *gatekeeper {
	g := &gatekeeper{held: make(map[string]chan struct{}), entered: make(chan string, 100), ended: make(chan error, 100)}
	for _, v := range hold {
		g.held[v] = make(chan struct{})
	}
	return g
}

func (g *gatekeeper) Handle(ctx context.Context, m event.Message) error {
	v := string(m.Value)
	g.note(v)
	if hold, ok := g.held[v]; ok {
		g.entered <- v
		select {
		case <-hold:
		case <-ctx.Done():
			g.ended <- context.Cause(ctx)
			return ctx.Err()
		}
	}
	return nil
}

func (g *gatekeeper) await(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		out = append(out, receive(t, g.entered))
	}
	return out
}

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing received")
		panic("unreachable")
	}
}

func TestCommitStopsAtAMessageInFlight(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 20)...)
	g := newGatekeeper("m5")
	w := b.start(Deps{Handle: g.Handle})
	b.eventually("all others consumed", func() bool { return w.seen.count("consumed") == 19 })
	b.eventually("the head committed", func() bool { return b.stored(0) == 5 })
	st := w.Status()
	want := PartitionStatus{Partition: 0, Low: 5, Next: 20, Committed: 5, High: 20, Lag: 15, Unfinished: 1, InFlight: 1, Tracked: 2}
	b.eventually("the commit noted", func() bool { st = w.Status(); return st.Partitions[0].Committed == 5 })
	got := st.Partitions[0]
	if got.OldestAgeSeconds <= 0 {
		t.Errorf("the message in flight is %v s old", got.OldestAgeSeconds)
	}
	got.OldestAgeSeconds = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	close(g.held["m5"])
	b.eventually("all committed", func() bool { return b.stored(0) == 20 })
	if err := w.halt(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestTheNextWorkerDoesOnlyWhatIsOpen: a worker that has to give up a message commits
// what it finished above it; the next worker does only the one message.
func TestTheNextWorkerDoesOnlyWhatIsOpen(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 30)...)
	b.cfg.Grace = 0
	g := newGatekeeper("m3", "m11")
	first := b.start(Deps{Handle: g.Handle})
	b.eventually("the others consumed", func() bool { return first.seen.count("consumed") == 28 })
	if err := first.halt(); err == nil {
		t.Error("Run says nothing of two messages that were not finished")
	}
	for range 2 {
		if cause := receive(t, g.ended); !errors.Is(cause, errStopped) {
			t.Errorf("cause of the handler's end: %v, want %v", cause, errStopped)
		}
	}
	b.publish(0, "new")
	b.cfg.Grace = time.Minute
	var notes notebook
	second := b.start(Deps{Handle: notes.Handle})
	b.eventually("all committed", func() bool { return b.stored(0) == 31 })
	if diff := cmp.Diff(once([]string{"m3", "m11", "new"}), notes.get()); diff != "" {
		t.Errorf("done by the second worker (-want +got):\n%s", diff)
	}
	if got := second.seen.count("consumed"); got != 3 {
		t.Errorf("the second worker counts %d consumed, want 3: the rest was counted by the first", got)
	}
}

// TestMetadataOfADeadWorkerIsUsed: after a crash only the metadata of the last commit
// is left.
func TestMetadataOfADeadWorkerIsUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		metadata string
		want     []string
	}{
		"finished runs":   {encodeRuns(2, []run{{3, 6}, {8, 9}}, maxMetadata), []string{"m2", "m6", "m7", "m9"}},
		"another program": {"committed by hand", values("m", 10)[2:]},
		"none":            {"", values("m", 10)[2:]},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, 1)
			b.publish(0, values("m", 10)...)
			b.commitByHand(kafka.OffsetCommit{Partition: 0, Offset: 2, Metadata: tt.metadata})
			var notes notebook
			b.start(Deps{Handle: notes.Handle})
			b.eventually("all committed", func() bool { return b.stored(0) == 10 })
			if diff := cmp.Diff(once(tt.want), notes.get()); diff != "" {
				t.Errorf("done again (-want +got):\n%s", diff)
			}
		})
	}
}

// commitByHand stores offsets for a group without members, as an operator does.
func (b *testbed) commitByHand(commits ...kafka.OffsetCommit) {
	b.t.Helper()
	c, err := New(b.cfg, Deps{Handle: func(context.Context, event.Message) error { return nil }})
	if err != nil {
		b.t.Fatal(err)
	}
	defer c.transport.CloseIdleConnections()
	b.eventually("offsets committed by hand", func() bool {
		answers, err := c.offsetCommit(b.t.Context(), memberless, commits)
		for _, answer := range answers {
			err = errors.Join(err, answer)
		}
		return err == nil
	})
}

// TestRebalanceKeepsWhatStays: a worker joins. Handlers of the partition that stays go
// on in place; those of the one that moves are cancelled, and the newcomer does their
// work.
func TestRebalanceKeepsWhatStays(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2)
	b.cfg.RevokeDrain = 0
	b.publish(0, "p0")
	b.publish(1, "p1")
	g := newGatekeeper("p0", "p1")
	a := b.start(Deps{Handle: g.Handle})
	g.await(t, 2)
	next := newGatekeeper("p0", "p1")
	z := b.start(Deps{Handle: next.Handle})
	moved := next.await(t, 1)[0]
	if cause := receive(t, g.ended); !errors.Is(cause, errPartitionLost) {
		t.Errorf("cause of the cancelled handler's end: %v, want %v", cause, errPartitionLost)
	}
	kept := map[string]string{"p0": "p1", "p1": "p0"}[moved]
	close(g.held[kept])
	close(next.held[moved])
	b.eventually("both committed", func() bool { return b.stored(0) == 1 && b.stored(1) == 1 })
	if diff := cmp.Diff(map[string]int{"p0": 1, "p1": 1}, g.get()); diff != "" {
		t.Errorf("the first worker's handlers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{moved: 1}, next.get()); diff != "" {
		t.Errorf("the newcomer's handlers (-want +got):\n%s", diff)
	}
	for _, w := range []*worker{a, z} {
		if got := w.seen.count("consumed"); got != 1 {
			t.Errorf("a worker counts %d consumed, want 1", got)
		}
		if err := w.halt(); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// TestRevokeDrainCommitsWhatFinishesInTime: messages that finish within RevokeDrain are
// committed before the partition moves, and not done again.
func TestRevokeDrainCommitsWhatFinishesInTime(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2, true)
	b.cfg.SessionTimeout, b.cfg.RebalanceTimeout, b.cfg.RevokeDrain = time.Minute, time.Minute, 30*time.Second
	b.publish(0, "p0")
	b.publish(1, "p1")
	g := newGatekeeper("p0", "p1")
	a := b.start(Deps{Handle: g.Handle})
	g.await(t, 2)
	var notes notebook
	z := b.start(Deps{Handle: notes.Handle})
	b.eventually("the newcomer is joining", func() bool { return b.broker.Members(b.cfg.Group) == 2 })
	<-time.After(2 * b.cfg.HeartbeatInterval) // the answer to one says that the group rebalances, and is the last
	close(g.held["p0"])
	close(g.held["p1"])
	a.owns(1)
	z.owns(1)
	if diff := cmp.Diff(map[string]int{"p0": 1, "p1": 1}, g.get()); diff != "" {
		t.Errorf("the first worker's handlers (-want +got):\n%s", diff)
	}
	for id := range 2 {
		if got := b.stored(id); got != 1 {
			t.Errorf("partition %d: committed %d, want 1", id, got)
		}
	}
	if got := notes.get(); len(got) > 0 {
		t.Errorf("done again by the newcomer: %v", got)
	}
}

// TestShutdownDrainsWhileHeartbeatsGoOn: a shutdown waits for what is in flight, sends
// heartbeats as long as that takes, and commits it.
func TestShutdownDrainsWhileHeartbeatsGoOn(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.HeartbeatInterval = 50 * time.Millisecond
	b.publish(0, "held", "x", "y")
	g := newGatekeeper("held")
	w := b.start(Deps{Handle: g.Handle})
	g.await(t, 1)
	b.eventually("the others consumed", func() bool { return w.seen.count("consumed") == 2 })
	w.stop()
	beats := b.broker.CountHeartbeats(b.cfg.Group)
	b.eventually("heartbeats go on", func() bool { return beats() > 16 })
	b.publish(0, "late")
	if w.Status().InFlight != 1 {
		t.Error("the message in flight was given up")
	}
	close(g.held["held"])
	if err := receive(t, w.end); err != nil {
		t.Errorf("Run: %v", err)
	}
	w.end <- nil
	if got := b.stored(0); got != 3 {
		t.Errorf("committed %d, want 3", got)
	}
	if diff := cmp.Diff(once([]string{"held", "x", "y"}), g.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if n := b.broker.Members(b.cfg.Group); n != 0 {
		t.Errorf("the group has %d members after Run returned, want 0: the others would wait for the session timeout", n)
	}
}

// logLines keeps lines of a log until it is full.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

// TestMovedWorkEndsAtOnce: work on a partition that moves ends as soon as its new owner
// is known, not only when the stored offsets are: in between it could only be done
// twice.
func TestMovedWorkEndsAtOnce(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2, true)
	b.cfg.RevokeDrain = 0
	b.publish(0, "p0")
	b.publish(1, "p1")
	g := newGatekeeper("p0", "p1")
	logged := make(logLines, 100)
	b.start(Deps{Handle: g.Handle, Log: slog.New(slog.NewTextHandler(logged, nil))})
	g.await(t, 2)
	restore := b.broker.IgnoreOffsetFetches()
	next := newGatekeeper()
	b.start(Deps{Handle: next.Handle})
	if cause := receive(t, g.ended); !errors.Is(cause, errPartitionLost) {
		t.Errorf("the handler ended with %v", cause)
	}
	for len(logged) > 0 {
		if line := <-logged; strings.Contains(line, "metadata not read") {
			t.Errorf("it waited for the broker first, in vain: %s", line)
		}
	}
	if n := len(next.get()); n > 0 {
		t.Errorf("%d messages were handled by one that does not know where to go on", n)
	}
	restore()
	for _, hold := range g.held {
		close(hold)
	}
	b.eventually("both committed", func() bool { return b.stored(0) == 1 && b.stored(1) == 1 })
}

// TestShutdownGoesOnThroughARebalance: a worker that is stopping keeps its work through
// a rebalance.
func TestShutdownGoesOnThroughARebalance(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2)
	b.cfg.RevokeDrain = 0
	b.publish(0, "p0")
	b.publish(1, "p1")
	g := newGatekeeper("p0", "p1")
	a := b.start(Deps{Handle: g.Handle})
	g.await(t, 2)
	a.stop()
	next := newGatekeeper("p0", "p1")
	b.start(Deps{Handle: next.Handle})
	moved := next.await(t, 1)[0]
	kept := map[string]string{"p0": "p1", "p1": "p0"}[moved]
	if cause := receive(t, g.ended); !errors.Is(cause, errPartitionLost) {
		t.Errorf("work on a partition that moved ended with %v", cause)
	}
	close(g.held[kept])
	if err := receive(t, a.end); err != nil {
		t.Errorf("Run: %v", err)
	}
	a.end <- nil
	close(next.held[moved])
	b.eventually("both committed", func() bool { return b.stored(0) == 1 && b.stored(1) == 1 })
	if diff := cmp.Diff(map[string]int{moved: 1}, next.get()); diff != "" {
		t.Errorf("done by the other worker (-want +got):\n%s", diff)
	}
}

func TestBoundsHold(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2)
	b.cfg.MaxInFlight, b.cfg.Window = 3, 4
	b.publish(0, values("a", 200)...)
	b.publish(1, values("b", 200)...)
	var now, most atomic.Int64
	var w *worker
	var widest atomic.Int64
	ready := make(chan struct{})
	w = b.start(Deps{Handle: func(context.Context, event.Message) error {
		<-ready
		n := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), n))
		for _, p := range w.Status().Partitions {
			widest.Store(max(widest.Load(), int64(p.Tracked)))
		}
		return nil
	}, Skip: func(m *event.Message) bool { return m.Offset%2 == 0 }})
	close(ready)
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 400 })
	if most.Load() > 3 {
		t.Errorf("%d handlers at once, want at most 3", most.Load())
	}
	// Behind the last message in flight there may be one run of skipped ones.
	if widest.Load() > 5 {
		t.Errorf("%d entries tracked, want at most 5", widest.Load())
	}
}

// TestSkipSeesEachDeliveryOnce: Skip sees each delivery once, and Handle sees the same
// message.
func TestSkipSeesEachDeliveryOnce(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 100)...)
	var mu sync.Mutex
	seen := make(map[string]int)
	handled := make(chan event.Message, 100)
	w := b.start(Deps{
		Skip: func(m *event.Message) bool {
			mu.Lock()
			defer mu.Unlock()
			seen[string(m.Value)]++
			return m.Offset%10 != 0
		},
		Handle: func(_ context.Context, m event.Message) error {
			handled <- m
			return nil
		},
	})
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 100 })
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(once(values("m", 100)), seen); diff != "" {
		t.Errorf("seen by Skip (-want +got):\n%s", diff)
	}
	close(handled)
	n := 0
	for m := range handled {
		n++
		v := string(m.Value)
		want := event.Message{
			Topic: b.cfg.Topic, Partition: 0, Offset: m.Offset, Key: []byte("key " + v), Value: m.Value,
			Headers: []event.Header{{Key: "h", Value: []byte(v)}}, Time: m.Time,
		}
		if diff := cmp.Diff(want, m); diff != "" || m.Time.IsZero() {
			t.Errorf("message (-want +got):\n%s", diff)
		}
	}
	if n != 10 {
		t.Errorf("%d handled, want 10", n)
	}
}

// TestCommittedFollowsTheBroker: Committed receives the offsets that the broker has
// stored, each larger than the one before it.
func TestCommittedFollowsTheBroker(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 50)...)
	committed := make(chan int64, 100)
	w := b.start(Deps{
		Handle: func(context.Context, event.Message) error { return nil },
		Committed: func(partition int, offset int64) {
			if partition != 0 {
				t.Errorf("partition %d", partition)
			}
			committed <- offset
		},
	})
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 50 })
	if err := w.halt(); err != nil {
		t.Fatal(err)
	}
	close(committed)
	last := int64(unknownOffset)
	for offset := range committed {
		if offset <= last {
			t.Errorf("offset %d after %d", offset, last)
		}
		last = offset
	}
	if stored := b.stored(0); last != 50 || stored != last {
		t.Errorf("the last is %d, and %d is stored; want 50", last, stored)
	}
}

// TestTheFirstCommitsAreRepeated: what is committed for a partition that was just taken is
// committed again a moment later. When a topic was deleted and made again, the coordinator
// forgets the offsets of the old one, and may forget those of the new one with them.
func TestTheFirstCommitsAreRepeated(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 5)...)
	w := b.start(Deps{Handle: new(notebook).Handle})
	b.eventually("the offset is committed", func() bool {
		st := w.Status()
		return len(st.Partitions) == 1 && st.Partitions[0].Committed == 5
	})
	first := w.Status().LastCommit
	b.eventually("it is committed again", func() bool { return w.Status().LastCommit.After(first) })
}
