package outage_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/outage"
)

// stormLines is how many lines a storm of ten minutes may have: one a minute, and one more
// for a trouble that comes back early.
const stormLines = 11

// TestStorm: whatever happens for ten minutes, ten times a second, a trouble is a line a
// minute, which counts all of it and knows when it began.
func TestStorm(t *testing.T) {
	t.Parallel()
	const every, minutes = 100 * time.Millisecond, 10
	for name, storm := range map[string]struct {
		step  func(o *outage.Outage, i int) (said outage.Tally, told, ended bool)
		lines int // at most
	}{
		"one outage": {func(o *outage.Outage, _ int) (outage.Tally, bool, bool) {
			seen, ok := o.Fail(errors.New("away"))
			return seen, ok, false
		}, minutes},
		"comes and goes": {func(o *outage.Outage, i int) (outage.Tally, bool, bool) {
			if i%2 == 1 {
				_, told := o.End()
				return outage.Tally{}, false, told
			}
			seen, ok := o.Fail(errors.New("away"))
			return seen, ok, false
		}, stormLines},
		"two causes in turn": {func(o *outage.Outage, i int) (outage.Tally, bool, bool) {
			seen, ok := o.Fail([]error{caused("a"), caused("b")}[i%2])
			return seen, ok, false
		}, 2 * minutes},
		"a new cause each time": {func(o *outage.Outage, i int) (outage.Tally, bool, bool) {
			seen, ok := o.Fail(caused(fmt.Sprint(i)))
			return seen, ok, false
		}, 6 * minutes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var o outage.Outage
				lines, ends, counted, steps := 0, 0, 0, int(minutes*time.Minute/every)
				for i := range steps {
					seen, told, ended := storm.step(&o, i)
					if told {
						lines++
						counted += seen.Count
						if seen.Since.After(time.Now()) || seen.Since.IsZero() || seen.Count < 1 {
							t.Errorf("step %d: %+v", i, seen)
						}
					}
					if ended {
						ends++
					}
					<-time.After(every)
				}
				if lines < minutes || lines > storm.lines || ends > lines {
					t.Errorf("%d lines and %d ends, want %d to %d lines and no more ends", lines, ends, minutes, storm.lines)
				}
				if most := int(time.Minute / every); ends == 0 && counted < steps-most {
					t.Errorf("the lines count %d of %d, want all but those of the last minute", counted, steps)
				}
			})
		})
	}
}

// TestAChangedCausePasses: at once, also by the number of the system's error, and with its own
// begin, while the first cause stays quiet.
func TestAChangedCausePasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l outage.Limiter
		full, broken := fmt.Errorf("write: %w", syscall.ENOSPC), fmt.Errorf("write: %w", syscall.EIO)
		l.AllowErr(full)
		<-time.After(10 * time.Second)
		if _, ok := l.AllowErr(full); ok {
			t.Error("the same cause within the minute")
		}
		if seen, ok := l.AllowErr(broken); !ok || seen != (outage.Tally{Count: 2, Since: time.Now()}) {
			t.Errorf("another cause: %+v, %t", seen, ok)
		}
		<-time.After(10 * time.Second)
		if _, ok := l.AllowErr(full); ok {
			t.Error("the first cause again within its minute")
		}
	})
}

// TestOver: the end of a trouble is told when its begin was; one that comes back is told at
// once, and not again and again.
func TestOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l outage.Limiter
		if _, told := l.Over(); told {
			t.Error("the end of nothing")
		}
		began := time.Now()
		l.Allow()
		<-time.After(time.Second)
		if since, told := l.Over(); !told || !since.Equal(began) {
			t.Errorf("since %v, %t", since, told)
		}
		if _, told := l.Over(); told {
			t.Error("the same end twice")
		}
		if seen, ok := l.Allow(); !ok || seen != (outage.Tally{Count: 1, Since: time.Now()}) {
			t.Errorf("a trouble that comes back: %+v, %t", seen, ok)
		}
		back := time.Now()
		l.Over()
		<-time.After(time.Second)
		if _, ok := l.Allow(); ok {
			t.Error("it comes back once more, within ten minutes")
		}
		if _, told := l.Over(); told {
			t.Error("the end of what was not told")
		}
		<-time.After(outage.Interval - time.Since(back))
		if seen, ok := l.Allow(); !ok || seen != (outage.Tally{Count: 2, Since: back.Add(time.Second)}) {
			t.Errorf("a minute later: %+v, %t; want both, since %v", seen, ok, back.Add(time.Second))
		}
	})
}

// TestATroubleBeginsAnew: when it stayed away for more than two minutes, although nobody said
// that it is over.
func TestATroubleBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l outage.Limiter
		began := time.Now()
		l.Allow()
		<-time.After(2 * outage.Interval)
		if seen, _ := l.Allow(); !seen.Since.Equal(began) {
			t.Errorf("it goes on: %+v", seen)
		}
		<-time.After(2*outage.Interval + time.Second)
		if seen, _ := l.Allow(); !seen.Since.Equal(time.Now()) {
			t.Errorf("it is a new one: %+v", seen)
		}
	})
}
