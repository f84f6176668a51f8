package cli

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// limitedHandler bounds the lines of a log: of those with the same message and level, the
// first few of each minute pass, and the next one after that says how many were left out.
// This is for what is worth a line each time, such as a rebalance or a reload, and for code
// that writes a line whenever something fails. A line that others were left out before has
// the attribute left_out, with their number; a warning or an error has count and since instead.
//
// Lines with an attribute count pass: package outage makes them a line a minute for each
// cause, and one that is left out would hide a cause and lose its count. So do lines below
// INFO: whoever asks for them wants all.
type limitedHandler struct {
	next    slog.Handler
	lines   *lines
	counted bool // the attributes of all lines have a count
}

// LimitLines returns a log that writes at most perMinute lines a minute with the same message
// and level.
func LimitLines(log *slog.Logger, perMinute int) *slog.Logger {
	return slog.New(&limitedHandler{next: log.Handler(), lines: &lines{most: perMinute, of: map[line]*window{}}})
}

// lines counts lines by message.
type lines struct {
	most int
	mu   sync.Mutex
	of   map[line]*window // guarded by mu; messages are constants, so there are few
}

// maxLines bounds the messages that are told apart. Further ones pass uncounted, so that a
// mistake makes a log longer and hides nothing.
const maxLines = 1000

type line struct {
	level   slog.Level
	message string
}

// window is a minute of one message.
type window struct {
	began   time.Time
	passed  int
	leftOut int
	since   time.Time // of the first one that was left out
}

// Enabled reports whether the next handler wants lines of the level.
func (h *limitedHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes a line on, or leaves it out.
func (h *limitedHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo || h.counted || countedRecord(r) {
		return h.next.Handle(ctx, r)
	}
	leftOut, since, ok := h.lines.pass(line{r.Level, r.Message}, time.Now())
	if !ok {
		return nil
	}
	if leftOut > 0 || r.Level >= slog.LevelWarn && h.lines.most == 1 {
		r = r.Clone()
		if r.Level >= slog.LevelWarn {
			r.AddAttrs(slog.Int("count", leftOut+1), slog.Time("since", since))
		} else {
			r.AddAttrs(slog.Int("left_out", leftOut))
		}
	}
	return h.next.Handle(ctx, r)
}

// pass counts a line. It reports whether the line is written, and how many were left out
// before it and since when.
func (l *lines) pass(of line, now time.Time) (leftOut int, since time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.of[of]
	if w == nil {
		if len(l.of) >= maxLines {
			return 0, now, true
		}
		w = &window{began: now}
		l.of[of] = w
	}
	if now.Sub(w.began) >= time.Minute {
		w.began, w.passed = now, 0
	}
	if w.passed >= l.most {
		if w.leftOut == 0 {
			w.since = now
		}
		w.leftOut++
		return 0, now, false
	}
	leftOut, since = w.leftOut, now
	if leftOut > 0 {
		since = w.since
	}
	w.passed++
	w.leftOut = 0
	return leftOut, since, true
}

// countedRecord reports whether a line has an attribute count of its own.
func countedRecord(r slog.Record) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = counted(a)
		return !found
	})
	return found
}

// counted reports whether an attribute is a count, or has one that stands by itself.
func counted(a slog.Attr) bool {
	return a.Key == "count" || a.Key == "" && a.Value.Kind() == slog.KindGroup && slices.ContainsFunc(a.Value.Group(), counted)
}

// WithAttrs returns a handler that shares the bound.
func (h *limitedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limitedHandler{h.next.WithAttrs(attrs), h.lines, h.counted || slices.ContainsFunc(attrs, counted)}
}

// WithGroup returns a handler that shares the bound.
func (h *limitedHandler) WithGroup(name string) slog.Handler {
	return &limitedHandler{h.next.WithGroup(name), h.lines, h.counted}
}
