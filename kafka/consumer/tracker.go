package consumer

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// run is a range of offsets: first is in it, next is the offset after it.
type run struct{ first, next int64 }

// unknownOffset is an offset that is not known yet.
const unknownOffset int64 = -1

// tracker records which offsets of one partition are finished. Messages begin in
// the order of their offsets and finish in any order.
//
// It is a list of spans in offset order: a span is one message in flight or a whole
// run of finished ones, and two finished neighbours are always one span. However
// long a slow message stays at the head, there are never more than twice as many
// spans as messages in flight, plus one.
//
// A tracker lives through generations: handlers that began in one may finish in a
// later one.
type tracker struct {
	room, idle chan struct{} // capacity one, one waiter: a span was finished, the last one was

	mu        sync.Mutex // guards all below
	low       int64      // every offset below is finished
	next      int64      // the offset to fetch next; unknown until it is known
	committed int64      // the last offset that the broker accepted or held; unknown for none
	head      *span      // the oldest; always in flight, because finished ones at the head become low
	tail      *span
	spans     int
	working   int
	returned  int    // given back: neither finished nor worked on any more
	restored  []run  // finished at or above next, known from a commit's metadata; ascending
	version   uint64 // changes with everything that a commit would say
	saved     uint64 // the version that the broker has accepted
	// doubtUntil is the time until which an older checkpoint may still be stored over a
	// newer one; zero: none is under way.
	doubtUntil time.Time
	epoch      uint64 // changes with reset, after which commits may go back
}

// span is part of a tracker; its mutex guards the fields.
type span struct {
	run
	published     time.Time // of a message in flight; zero: unknown
	working       bool
	detached      bool // cut off by reset: finishing it means nothing
	before, after *span
}

// newTracker returns a tracker that starts at a committed offset, or unknownOffset.
func newTracker(committed int64) *tracker {
	return &tracker{
		room: make(chan struct{}, 1), idle: make(chan struct{}, 1),
		low: committed, next: committed, committed: committed,
	}
}

// admit reports whether the message at off is still to be done: it was not begun or
// skipped before, and no earlier owner of the partition has finished it. One that an
// earlier owner has finished counts as finished from here on.
func (t *tracker) admit(off int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if off < t.next {
		return false
	}
	for len(t.restored) > 0 && t.restored[0].next <= off { // when offsets are missing from the log
		t.restored = t.restored[1:]
	}
	if len(t.restored) > 0 && t.restored[0].first <= off {
		t.skipLocked(off)
		return false
	}
	return true
}

// advance moves next on; restored runs stay above it.
func (t *tracker) advance(next int64) {
	t.next = next
	for len(t.restored) > 0 && t.restored[0].first < next {
		if t.restored[0].next > next {
			t.restored[0].first = next
			break
		}
		t.restored = t.restored[1:]
	}
}

// skip records the message at off as finished without any work.
func (t *tracker) skip(off int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipLocked(off)
}

func (t *tracker) skipLocked(off int64) {
	t.advance(off + 1)
	t.version++
	switch {
	case t.tail == nil:
		t.low = t.next
	case t.tail.working:
		t.push(&span{run: run{off, t.next}})
	default:
		t.tail.next = t.next
	}
}

// begin records the message at off as in flight; published is its own time, or zero.
func (t *tracker) begin(off int64, published time.Time) *span {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.head == nil { // the offsets between do not exist in the partition
		t.low = off
	}
	t.advance(off + 1)
	s := &span{run: run{off, t.next}, published: published, working: true}
	t.push(s)
	t.working++
	return s
}

// finish ends the work on a span that begin returned. It is called once a span.
func (t *tracker) finish(s *span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.detached {
		return
	}
	s.working = false
	t.working--
	t.version++
	if a := s.after; a != nil && !a.working {
		s.next = a.next
		t.remove(a)
	}
	if b := s.before; b != nil && !b.working {
		b.next = s.next
		t.remove(s)
	}
	if t.head != nil && !t.head.working {
		t.remove(t.head)
		if t.low = t.next; t.head != nil {
			t.low = t.head.first
		}
	}
	signal(t.room)
	if t.working == 0 {
		signal(t.idle)
	}
}

// giveBack ends the work on a span without finishing it: nothing waits for it any more, and
// commits stay below it. It is called once a span, instead of finish.
func (t *tracker) giveBack(s *span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.detached {
		return
	}
	t.working--
	t.returned++
	if t.working == 0 {
		signal(t.idle)
	}
}

// jump moves on to an offset above next, because the offsets between are not in the
// partition any more. It returns the number of them that are not known to be
// finished.
func (t *tracker) jump(to int64) (lost int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to <= t.next {
		return 0
	}
	if t.next != unknownOffset {
		lost = to - t.next
	}
	for _, r := range t.restored {
		if lost > 0 && r.first < to {
			lost -= min(r.next, to) - r.first
		}
	}
	t.advance(to)
	t.version++
	if t.head == nil {
		t.low = to
	}
	return lost
}

// reset starts over at an offset, which may be below what was committed: this is not
// the partition that it was committed for. Messages in flight no longer count.
func (t *tracker) reset(to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := t.head; s != nil; s = s.after {
		s.detached = true
	}
	t.head, t.tail, t.spans, t.working, t.returned, t.restored = nil, nil, 0, 0, 0, nil
	t.low, t.next, t.committed = to, to, unknownOffset
	t.version++
	t.epoch++
	signal(t.room)
	signal(t.idle)
}

// restore adds runs that are finished according to the metadata of a commit.
func (t *tracker) restore(runs []run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := append(slices.Clone(t.restored), runs...)
	slices.SortFunc(all, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	t.restored = t.restored[:0]
	for _, r := range all {
		r.first = max(r.first, t.next)
		if n := len(t.restored); n > 0 && r.first <= t.restored[n-1].next {
			t.restored[n-1].next = max(t.restored[n-1].next, r.next)
		} else if r.first < r.next {
			t.restored = append(t.restored, r)
		}
	}
}

// resume reports whether the tracker can go on from the offset that the group has
// stored, and if so records it as committed. The offset may be between the last commit
// that the broker is known to have accepted (one that timed out may have been stored
// later) and low, below which everything is done. A lower one was set back by an
// operator, and a higher one comes from a member that went on.
func (t *tracker) resume(stored int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if stored < t.committed || stored > t.low {
		return false
	}
	t.committed = stored
	return true
}

// waitRoom waits until fewer than limit spans are tracked.
func (t *tracker) waitRoom(ctx context.Context, limit int) error {
	return t.wait(ctx, t.room, func() bool { return t.spans < limit })
}

// waitIdle waits until nothing is in flight.
func (t *tracker) waitIdle(ctx context.Context) error {
	return t.wait(ctx, t.idle, func() bool { return t.working == 0 })
}

// wait waits until ready, which it calls with mu held, is true. It checks again after
// each signal.
func (t *tracker) wait(ctx context.Context, changed <-chan struct{}, ready func() bool) error {
	for {
		t.mu.Lock()
		ok := ready()
		t.mu.Unlock()
		if ok {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *tracker) push(s *span) {
	s.before = t.tail
	if t.tail == nil {
		t.head = s
	} else {
		t.tail.after = s
	}
	t.tail = s
	t.spans++
}

func (t *tracker) remove(s *span) {
	if s.before == nil {
		t.head = s.after
	} else {
		s.before.after = s.after
	}
	if s.after == nil {
		t.tail = s.before
	} else {
		s.after.before = s.before
	}
	t.spans--
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // the waiter has not seen the last one yet
	}
}

// checkpoint is the part of a commit about one partition.
type checkpoint struct {
	low  int64 // the offset to commit
	runs []run // finished above low, ascending
	// version and epoch are the tracker's when the checkpoint was taken.
	version, epoch uint64
}

// checkpoint returns what is to be committed now; ok is false when there is
// nothing, or when the broker has it already and is sure to keep it.
func (t *tracker) checkpoint() (cp checkpoint, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version == t.saved && t.doubtUntil.IsZero() || t.low < 0 || t.low < t.committed {
		return checkpoint{}, false
	}
	cp = checkpoint{low: t.low, version: t.version, epoch: t.epoch}
	for s := t.head; s != nil; s = s.after {
		if !s.working {
			cp.runs = append(cp.runs, s.run)
		}
	}
	cp.runs = append(cp.runs, t.restored...)
	return cp, true
}

// request returns the commit, with the lowest runs where not all fit into limit
// bytes of metadata.
func (cp checkpoint) request(partition, limit int) kafka.OffsetCommit {
	return kafka.OffsetCommit{Partition: partition, Offset: cp.low, Metadata: encodeRuns(cp.low, cp.runs, limit)}
}

// commitAccepted records that the broker has stored a checkpoint, sent at that time, and
// reports whether its offset is larger than what was stored before.
// Runs that did not fit wait for the next change: another commit would say the same.
func (t *tracker) commitAccepted(cp checkpoint, sent time.Time) (advanced bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cp.epoch != t.epoch {
		return false
	}
	advanced = cp.low > t.committed
	t.committed, t.saved = max(t.committed, cp.low), cp.version
	if sent.After(t.doubtUntil) {
		t.doubtUntil = time.Time{}
	}
	return advanced
}

// commitUnanswered records that a checkpoint was sent and not answered. It may still be
// stored over newer ones, so these are sent again until that is no longer possible.
func (t *tracker) commitUnanswered() { t.doubt() }

// doubt makes checkpoints be sent again for a while although the broker has accepted them.
// When a topic is deleted, the coordinator forgets its offsets a moment later, and may
// forget those of the topic that was made anew with them.
func (t *tracker) doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubtUntil = time.Now().Add(requestTimeout)
}

// progress is the state of a tracker, for Status.
type progress struct {
	low, next, committed int64
	working, spans       int
	returned             int
	saved                bool      // the broker knows all that is finished
	oldest               time.Time // when the oldest message in flight was published; zero: there is none, or unknown
}

func (t *tracker) progress() progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	var oldest time.Time
	if t.head != nil {
		oldest = t.head.published
	}
	return progress{
		oldest: oldest, low: t.low, next: t.next, committed: t.committed, working: t.working, spans: t.spans, returned: t.returned,
		saved: t.version == t.saved || t.low < 0 || t.low < t.committed,
	}
}
