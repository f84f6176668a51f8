package outage

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

// Interval is the shortest time between two log lines about the same trouble.
const Interval = time.Minute

const (
	// forgotten is how long a trouble stays away until the next occurrence is a new one.
	forgotten = 2 * Interval
	// earlyEvery is the least time between two lines that come early, because a trouble that
	// was over has come back within an Interval. One that comes and goes all the time would
	// otherwise write two lines each time.
	earlyEvery = 10 * Interval
	// maxCauses bounds the lines of an Interval, when each has another cause.
	maxCauses = 6
	// maxKnown bounds the causes that are remembered; further ones count as one.
	maxKnown = 4 * maxCauses
)

// Tally is what a line of the log says of a trouble.
type Tally struct {
	Count int       // occurrences since the last line, this one included
	Since time.Time // of the first occurrence of the trouble
}

// On returns a log that adds count and since to its lines.
func (t Tally) On(log *slog.Logger) *slog.Logger {
	return log.With(slog.Int("count", t.Count), slog.Time("since", t.Since))
}

// Attr returns the attributes count and since, for a line that is made of attributes.
func (t Tally) Attr() slog.Attr {
	return slog.Attr{Value: slog.GroupValue(slog.Int("count", t.Count), slog.Time("since", t.Since))} // without a key they stand by themselves
}

// Limiter lets one log line through at once and then one an [Interval], counts the
// occurrences in between and remembers when they began. Another cause is let through at
// once, as long as there are few. The zero value is ready.
type Limiter struct {
	mu      sync.Mutex
	pending int                 // guarded by mu; occurrences since the last line
	last    time.Time           // guarded by mu; of the last line
	told    bool                // guarded by mu; a line was let through since Over was last called
	early   time.Time           // guarded by mu; of the last line that came early
	causes  map[string]*trouble // guarded by mu; at most maxKnown, and one for all others
}

// trouble is one cause.
type trouble struct {
	since  time.Time // of the first occurrence
	latest time.Time // occurrence
	line   time.Time // when one was let through last; zero: never
	over   bool      // Over was called since the line
}

// Allow counts an occurrence and reports whether to log it.
func (l *Limiter) Allow() (Tally, bool) { return l.allow("", 1) }

// AllowN is Allow for n occurrences at once.
func (l *Limiter) AllowN(n int) (Tally, bool) { return l.allow("", n) }

// AllowErr is Allow for an occurrence with an error; see [CauseOf].
func (l *Limiter) AllowErr(err error) (Tally, bool) { return l.allow(CauseOf(err), 1) }

// AllowCause is Allow for an occurrence with a cause, of which there should be few.
func (l *Limiter) AllowCause(cause string) (Tally, bool) { return l.allow(cause, 1) }

func (l *Limiter) allow(cause string, n int) (Tally, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.pending += n
	t := l.trouble(cause, now)
	if t.since.IsZero() || now.Sub(t.latest) > forgotten {
		t.since = now
	}
	t.latest = now
	early := t.over && (l.early.IsZero() || now.Sub(l.early) >= earlyEvery)
	usual := t.line.IsZero() || now.Sub(t.line) >= Interval
	if !usual && !early || l.lines(now) >= maxCauses {
		return Tally{}, false
	}
	if !usual {
		l.early = now
	}
	t.line, t.over = now, false
	return l.take(now, t.since), true
}

// trouble returns the trouble with a cause. The caller holds mu.
func (l *Limiter) trouble(cause string, now time.Time) *trouble {
	if t := l.causes[cause]; t != nil {
		return t
	}
	if l.causes == nil {
		l.causes = map[string]*trouble{}
	}
	if len(l.causes) >= maxKnown {
		for known, t := range l.causes {
			if now.Sub(t.latest) > forgotten {
				delete(l.causes, known)
			}
		}
	}
	if len(l.causes) >= maxKnown {
		const others = "\x00others"
		if t := l.causes[others]; t != nil {
			return t
		}
		cause = others
	}
	t := new(trouble)
	l.causes[cause] = t
	return t
}

// lines returns the number of causes with a line within the last Interval. The caller
// holds mu.
func (l *Limiter) lines(now time.Time) (n int) {
	for _, t := range l.causes {
		if !t.line.IsZero() && now.Sub(t.line) < Interval {
			n++
		}
	}
	return n
}

// Flush reports whether occurrences since the last line are due for a line of
// their own: when the interval is over, or at once with end set. So a burst is
// logged even when nothing follows it.
func (l *Limiter) Flush(end bool) (Tally, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.pending == 0 || !end && now.Sub(l.last) < Interval {
		return Tally{}, false
	}
	since := now
	for _, t := range l.causes {
		if t.latest.After(l.last) || t.latest.Equal(l.last) {
			t.line, t.over = now, false
			if t.since.Before(since) {
				since = t.since
			}
		}
	}
	return l.take(now, since), true
}

// Over says that the trouble is over. It returns when it began, and whether a line was let
// through since Over was last called: if not, nobody waits to hear that it is over. One
// that comes back is let through at once, unless it did so a short while ago.
func (l *Limiter) Over() (since time.Time, told bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.told {
		return time.Time{}, false // what was not told goes on, so that its count is not lost
	}
	for _, t := range l.causes {
		if !t.since.IsZero() && (since.IsZero() || t.since.Before(since)) {
			since = t.since
		}
		t.since, t.over = time.Time{}, true
	}
	l.told, l.pending = false, 0
	return since, true
}

// Reset forgets everything, so that the next occurrence is logged at once.
func (l *Limiter) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending, l.last, l.told, l.early = 0, time.Time{}, false, time.Time{}
	clear(l.causes)
}

// take returns what a line says, which is let through now. The caller holds mu.
func (l *Limiter) take(now, since time.Time) Tally {
	tally := Tally{l.pending, since}
	l.pending, l.last, l.told = 0, now, true
	return tally
}

// CauseOf returns what tells a trouble from another one that fails at the same place, one of
// few words: what a method Cause() string of an error in the chain says, else the state
// that a database has answered with, or the number of the system's error; "" when there
// is none.
func CauseOf(err error) string {
	if e, ok := errors.AsType[interface {
		error
		Cause() string
	}](err); ok {
		return e.Cause()
	}
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return e.SQLState()
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	return ""
}
