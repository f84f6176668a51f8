package consumer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var runs = cmp.AllowUnexported(run{}, checkpoint{})

func TestTrackerCommitsTheUnbrokenPrefix(t *testing.T) {
	t.Parallel()
	tr := newTracker(10)
	a, b := tr.begin(10, time.Time{}), tr.begin(11, time.Time{})
	tr.skip(12)
	tr.skip(13)
	c := tr.begin(14, time.Time{})

	steps := []struct {
		name string
		do   func()
		low  int64
		runs []run
	}{
		{"the head is in flight", func() {}, 10, []run{{12, 14}}},
		{"one behind the head finishes", func() { tr.finish(b) }, 10, []run{{11, 14}}},
		{"the last finishes", func() { tr.finish(c) }, 10, []run{{11, 15}}},
		{"the head finishes", func() { tr.finish(a) }, 15, nil},
	}
	for _, s := range steps {
		s.do()
		m, ok := tr.checkpoint()
		if !ok {
			t.Fatalf("%s: nothing to commit", s.name)
		}
		if diff := cmp.Diff(checkpoint{low: s.low, runs: s.runs, version: m.version}, m, runs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}

func TestTrackerCommitsNothingTwice(t *testing.T) {
	t.Parallel()
	tr := newTracker(0)
	if _, ok := tr.checkpoint(); ok {
		t.Error("a new tracker has something to commit")
	}
	tr.skip(0)
	m, ok := tr.checkpoint()
	if !ok || m.low != 1 {
		t.Fatalf("checkpoint = %+v, %v", m, ok)
	}
	if _, ok := tr.checkpoint(); !ok {
		t.Error("a checkpoint that the broker has not accepted is forgotten")
	}
	tr.commitAccepted(m, time.Now())
	if _, ok := tr.checkpoint(); ok {
		t.Error("a checkpoint that the broker has accepted is sent again")
	}
	s := tr.begin(1, time.Time{})
	if _, ok := tr.checkpoint(); ok {
		t.Error("a message that begins is nothing to commit")
	}
	tr.finish(s)
	if m, ok := tr.checkpoint(); !ok || m.low != 2 {
		t.Errorf("checkpoint = %+v, %v, want low 2", m, ok)
	}
}

func TestTrackerPassesOverGaps(t *testing.T) {
	t.Parallel()
	tr := newTracker(5)
	a := tr.begin(8, time.Time{}) // 5 to 7 are not in the log
	if got := tr.progress().low; got != 8 {
		t.Errorf("low = %d with 8 in flight and nothing before it, want 8", got)
	}
	b := tr.begin(20, time.Time{})
	tr.finish(a)
	if got := tr.progress().low; got != 20 {
		t.Errorf("low = %d, want 20: the gap holds no message", got)
	}
	tr.finish(b)
	if got := tr.progress().low; got != 21 {
		t.Errorf("low = %d, want 21", got)
	}
}

func TestTrackerSkipsWhatIsRestored(t *testing.T) {
	t.Parallel()
	tr := newTracker(100)
	tr.restore([]run{{102, 104}, {110, 120}})
	tr.restore([]run{{90, 95}, {103, 105}, {112, 113}}) // overlaps are merged, offsets below next dropped

	var admitted []int64
	for off := int64(100); off < 107; off++ {
		if tr.admit(off) {
			admitted = append(admitted, off)
			tr.finish(tr.begin(off, time.Time{}))
		}
	}
	if diff := cmp.Diff([]int64{100, 101, 105, 106}, admitted); diff != "" {
		t.Errorf("admitted (-want +got):\n%s", diff)
	}
	if tr.admit(104) {
		t.Error("an offset that was taken is admitted again")
	}
	m, _ := tr.checkpoint()
	if diff := cmp.Diff(checkpoint{low: 107, runs: []run{{110, 120}}, version: m.version}, m, runs); diff != "" {
		t.Errorf("what is restored and not fetched yet must stay in the commit (-want +got):\n%s", diff)
	}
}

func TestTrackerJumpCountsWhatNobodyFinished(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		restored []run
		to, lost int64
	}{
		{"nothing was finished", nil, 30, 20},
		{"some were", []run{{12, 15}}, 30, 17},
		{"a run crosses the end", []run{{12, 15}, {25, 40}}, 30, 12},
		{"all were", []run{{10, 50}}, 30, 0},
		{"no jump", nil, 10, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := newTracker(10)
			tr.restore(tt.restored)
			if lost := tr.jump(tt.to); lost != tt.lost {
				t.Errorf("jump(%d) = %d, want %d", tt.to, lost, tt.lost)
			}
			if p := tr.progress(); p.next != tt.to || p.low != tt.to {
				t.Errorf("after the jump low, next = %d, %d, want %d", p.low, p.next, tt.to)
			}
		})
	}
	if lost := newTracker(unknownOffset).jump(7); lost != 0 {
		t.Errorf("a partition without a stored offset lost %d", lost)
	}
}

func TestTrackerResume(t *testing.T) {
	t.Parallel()
	at := func(committed int64, low int64) *tracker {
		tr := newTracker(committed)
		tr.jump(low)
		tr.begin(low, time.Time{})
		return tr
	}
	tests := []struct {
		name   string
		tr     *tracker
		stored int64
		want   bool
	}{
		{"as committed", at(50, 70), 50, true},
		{"a commit that timed out was stored", at(50, 70), 60, true},
		{"all that is done", at(50, 70), 70, true},
		{"set back by somebody", at(50, 70), 40, false},
		{"somebody went on", at(50, 70), 71, false},
		{"the group lost its offsets", at(50, 70), unknownOffset, false},
		{"nothing was ever committed", at(unknownOffset, 70), unknownOffset, true},
		{"nothing was ever fetched", newTracker(unknownOffset), unknownOffset, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.tr.resume(tt.stored); got != tt.want {
				t.Errorf("resume(%d) = %v, want %v", tt.stored, got, tt.want)
			}
		})
	}
}

func TestTrackerResetForgetsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	tr := newTracker(1000)
	a := tr.begin(1000, time.Time{})
	b := tr.begin(1001, time.Time{})
	tr.finish(b)
	stale, _ := tr.checkpoint()
	tr.reset(3)
	tr.finish(a)
	tr.commitAccepted(stale, time.Now())
	if p := tr.progress(); p.low != 3 || p.next != 3 || p.working != 0 || p.committed != unknownOffset {
		t.Errorf("after the reset %+v, want all at 3", p)
	}
	if m, ok := tr.checkpoint(); !ok || m.low != 3 {
		t.Errorf("checkpoint = %+v, %v: the new start is not committed", m, ok)
	}
}

func TestTrackerWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTracker(0)
		a, b := tr.begin(0, time.Time{}), tr.begin(1, time.Time{})
		var got []string
		go func() {
			if err := tr.waitRoom(t.Context(), 2); err == nil {
				got = append(got, "room")
			}
		}()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("there is room for two where two are in flight")
		}
		tr.finish(a)
		synctest.Wait()
		if diff := cmp.Diff([]string{"room"}, got); diff != "" {
			t.Error(diff)
		}
		go func() {
			if err := tr.waitIdle(t.Context()); err == nil {
				got = append(got, "idle")
			}
		}()
		synctest.Wait()
		tr.finish(b)
		synctest.Wait()
		if diff := cmp.Diff([]string{"room", "idle"}, got); diff != "" {
			t.Error(diff)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		tr.begin(2, time.Time{})
		if err := tr.waitIdle(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("waitIdle = %v, want %v", err, context.Canceled)
		}
		if err := tr.waitRoom(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("waitRoom = %v, want %v", err, context.Canceled)
		}
	})
}

// FuzzTracker checks the law of delivery: in any order of events, a commit never passes
// an offset that is in flight or was never taken, never goes back, and in the end
// everything taken is committed.
func FuzzTracker(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 0x83, 0x80, 0x81})
	f.Add([]byte{0, 1, 0, 1, 0, 1, 0x80, 0x82, 3, 0x81, 0, 0x80})
	f.Add([]byte{4, 0, 0, 3, 1, 0x81, 0x80, 4, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		const start = 100
		tr := newTracker(start)
		done := make(map[int64]bool) // every offset taken: false while in flight
		var open []*span
		next, low := int64(start), int64(start)
		check := func() {
			m, ok := tr.checkpoint()
			p := tr.progress()
			if p.spans > 2*p.working+1 {
				t.Fatalf("%d spans for %d in flight", p.spans, p.working)
			}
			if !ok {
				return
			}
			if m.low < low {
				t.Fatalf("low went back from %d to %d", low, m.low)
			}
			low = m.low
			if low > next {
				t.Fatalf("low is %d, beyond what was taken (%d)", low, next)
			}
			for off, finished := range done {
				if !finished && off < low {
					t.Fatalf("committed %d past %d, which is in flight", low, off)
				}
			}
			at := low
			for _, r := range m.runs {
				if r.first < at || r.next <= r.first {
					t.Fatalf("runs %v above %d are not ascending", m.runs, low)
				}
				for off := r.first; off < r.next; off++ {
					if finished, taken := done[off]; taken && !finished {
						t.Fatalf("run %v holds %d, which is in flight", r, off)
					}
				}
				at = r.next
			}
			tr.commitAccepted(m, time.Now())
		}
		for _, op := range ops {
			switch {
			case op >= 0x80: // finish one
				if len(open) > 0 {
					i := int(op-0x80) % len(open)
					done[open[i].first] = true
					tr.finish(open[i])
					open = append(open[:i], open[i+1:]...)
				}
			case op == 0: // a message to work on
				if tr.admit(next) {
					done[next] = false
					open = append(open, tr.begin(next, time.Time{}))
				} else {
					done[next] = true
				}
				next++
			case op == 1: // one to pass over
				if tr.admit(next) {
					tr.skip(next)
				}
				done[next] = true
				next++
			case op == 2: // one that comes again
				if _, taken := done[next-1]; taken && tr.admit(next-1) {
					t.Fatalf("admitted %d twice", next-1)
				}
			case op == 3: // a gap in the log
				next += 3
			default: // an earlier owner finished some that follow
				tr.restore([]run{{next + 1, next + int64(op%8)}})
			}
			check()
		}
		for _, s := range open {
			done[s.first] = true
			tr.finish(s)
			check()
		}
		if p := tr.progress(); p.low != p.next || p.spans != 0 || p.working != 0 {
			t.Fatalf("all is finished and the tracker stands at %+v", p)
		}
	})
}

func BenchmarkTracker(b *testing.B) {
	b.Run("settle", func(b *testing.B) {
		b.ReportAllocs()
		tr := newTracker(0)
		for off := int64(0); b.Loop(); off++ {
			if tr.admit(off) {
				tr.skip(off)
			}
		}
	})
	b.Run("settle behind a slow head", func(b *testing.B) {
		b.ReportAllocs()
		tr := newTracker(0)
		tr.begin(0, time.Time{})
		for off := int64(1); b.Loop(); off++ {
			if tr.admit(off) {
				tr.skip(off)
			}
		}
	})
	b.Run("begin and finish, 100 in flight", func(b *testing.B) {
		b.ReportAllocs()
		tr := newTracker(0)
		var ring [100]*span
		for off := int64(0); b.Loop(); off++ {
			i := (off * 37) % int64(len(ring)) // out of order
			if ring[i] != nil {
				tr.finish(ring[i])
			}
			ring[i] = tr.begin(off, time.Time{})
		}
	})
}

// TestCommitsAfterATopicWasMadeAnewAreRepeated: the coordinator may forget them together
// with those of the old topic.
func TestCommitsAfterATopicWasMadeAnewAreRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTracker(10)
		tr.reset(0)
		tr.doubt()
		tr.skip(0)
		for range 2 {
			cp, ok := tr.checkpoint()
			if !ok || cp.low != 1 {
				t.Fatalf("checkpoint %+v, %v", cp, ok)
			}
			tr.commitAccepted(cp, time.Now())
			<-time.After(requestTimeout / 2)
		}
		<-time.After(requestTimeout)
		if cp, ok := tr.checkpoint(); ok {
			tr.commitAccepted(cp, time.Now())
		}
		if cp, ok := tr.checkpoint(); ok {
			t.Errorf("still sent: %+v", cp)
		}
	})
}

// TestTrackerGivesBack: nothing waits for a message that was given back, and no commit
// covers it.
func TestTrackerGivesBack(t *testing.T) {
	t.Parallel()
	tr := newTracker(10)
	a, b, c := tr.begin(10, time.Time{}), tr.begin(11, time.Time{}), tr.begin(12, time.Time{})
	tr.finish(a)
	tr.giveBack(b)
	if at := tr.progress(); at.working != 1 || at.returned != 1 {
		t.Errorf("progress %+v", at)
	}
	tr.finish(c)
	if err := tr.waitIdle(t.Context()); err != nil {
		t.Error(err)
	}
	cp, ok := tr.checkpoint()
	if diff := cmp.Diff(checkpoint{low: 11, runs: []run{{12, 13}}, version: cp.version}, cp, runs); diff != "" || !ok {
		t.Errorf("checkpoint (-want +got):\n%s", diff)
	}
	tr.reset(0)
	tr.giveBack(c) // of a partition that is gone
	if at := tr.progress(); at.working != 0 || at.returned != 0 {
		t.Errorf("progress after a reset: %+v", at)
	}
}
