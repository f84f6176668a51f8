package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/evalworker/evalworker/event"
)

// trouble says whether attempts to write fail, why and since when. The mutex of the
// emitter guards it.
type trouble struct {
	err     error     // of the latest attempt that failed
	at      time.Time // when
	since   time.Time // when the first failed; zero when events are written
	written bool      // something was, after err
	waiting int       // batches of which an attempt has failed, and that are not settled
	count   int       // attempts that have failed since then
}

// Err returns nil while events are written, as far as the emitter knows, and otherwise
// why not and since when. It is for the page or probe that shows the state of an
// application; most serve their users without Kafka and stay ready. It wraps
// Stats.LastError.
func (e *Emitter) Err() error {
	if e.absent() {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble.since.IsZero() {
		return nil
	}
	return fmt.Errorf("events are not written since %s: %w", e.trouble.since.UTC().Format(time.RFC3339), e.trouble.err)
}

// failed notes that an attempt has failed; first: the first one of a batch, which the
// caller ends with delivered.
func (e *Emitter) failed(err error, first bool) {
	e.mu.Lock()
	t := &e.trouble
	t.err, t.at, t.written = err, time.Now(), false
	if t.since.IsZero() {
		t.since, t.count = t.at, 0
	}
	if t.count++; first {
		t.waiting++
	}
	e.stats.Retries++
	since, buffered, full := t.since, e.events, e.stats.Full
	e.mu.Unlock()
	e.notices.add(noticeFailing, 1, slog.String("error", err.Error()), slog.Time("failing_since", since),
		slog.Int("buffered", buffered), slog.Uint64("dropped", full))
}

// delivered notes that a batch is settled, one of which attempts had failed or not. A
// trouble is over when no batch waits and something was written since the last failure.
func (e *Emitter) delivered(waited bool) {
	e.mu.Lock()
	t := &e.trouble
	if waited {
		t.waiting--
	}
	over := t.waiting == 0 && t.written && !t.since.IsZero()
	since, count, full := t.since, t.count, e.stats.Full
	if over {
		t.since = time.Time{}
	}
	e.mu.Unlock()
	if over {
		e.notices.over(slog.Time("failing_since", since), slog.Int("failed_attempts", count), slog.Uint64("dropped", full))
	}
}

// noted passes on an error of Emit, and tells the log of it.
func (e *Emitter) noted(err error) error {
	var refused *event.Error
	switch {
	case err == nil || e.notices.log == nil || errors.Is(err, ErrClosed):
	case errors.As(err, &refused):
		e.notices.add(noticeRefused, 1, slog.String("error", err.Error()))
	default:
		e.notices.add(noticeFull, 1)
	}
	return err
}

// contain calls a function of the application. A panic in it must end neither the
// request that emits nor the sending of other events.
func (e *Emitter) contain(name string, call func()) {
	defer func() {
		if p := recover(); p != nil {
			e.countPanic()
			// Of the value only its type, because its text may be content.
			e.notices.add(noticePanic, 1, slog.String("function", name), slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	call()
}

func (e *Emitter) countPanic() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Panics++
}

// The kinds of lines of the log.
const (
	noticeFailing = iota
	noticeUnsent
	noticeFull
	noticeRefused
	noticePanic
	noticeKinds
	noticeOver = noticeKinds // the end of noticeFailing, which is always told
)

// noticeEvery is the shortest time between two lines about one kind of trouble.
const noticeEvery = time.Minute

// notices writes the lines of the log: about each kind of trouble one at once, and then
// one a minute with the count.
type notices struct {
	log      *slog.Logger // nil: silent
	panicked func()

	mu    sync.Mutex
	kinds [noticeKinds]notice // guarded by mu
}

type notice struct {
	last  time.Time // of the last line
	since time.Time // of the first occurrence after it
	count int       // of occurrences after it
	attrs []slog.Attr
}

// add counts occurrences, and writes a line if one is due. attrs are those of the latest.
func (n *notices) add(kind, count int, attrs ...slog.Attr) {
	if n.log == nil {
		return
	}
	n.mu.Lock()
	k := &n.kinds[kind]
	if k.count == 0 {
		k.since = time.Now()
	}
	k.count += count
	k.attrs = attrs
	line := k.take(time.Now(), false)
	n.mu.Unlock()
	n.write(kind, line)
}

// flush writes the lines that are due, or with all set those of all occurrences without
// one, so that the end of a burst is told.
func (n *notices) flush(all bool) {
	if n.log == nil {
		return
	}
	for kind := range n.kinds {
		n.mu.Lock()
		line := n.kinds[kind].take(time.Now(), all)
		n.mu.Unlock()
		n.write(kind, line)
	}
}

// over writes that attempts succeed again. When they fail the next time, that is told
// at once.
func (n *notices) over(attrs ...slog.Attr) {
	if n.log == nil {
		return
	}
	n.mu.Lock()
	n.kinds[noticeFailing] = notice{}
	n.mu.Unlock()
	n.write(noticeOver, attrs)
}

// take returns the attributes of a line, if one is due. The caller holds mu.
func (k *notice) take(now time.Time, all bool) []slog.Attr {
	if k.count == 0 || !all && !k.last.IsZero() && now.Sub(k.last) < noticeEvery {
		return nil
	}
	attrs := append([]slog.Attr{slog.Int("count", k.count), slog.Time("since", k.since)}, k.attrs...)
	*k = notice{last: now}
	return attrs
}

// write calls the application's logger, whose panics are contained.
func (n *notices) write(kind int, attrs []slog.Attr) {
	if attrs == nil {
		return
	}
	defer func() {
		if recover() != nil {
			n.panicked()
		}
	}()
	ctx := context.Background()
	switch kind {
	case noticeFailing:
		n.log.LogAttrs(ctx, slog.LevelWarn, "events are not written to Kafka", attrs...)
	case noticeUnsent:
		n.log.LogAttrs(ctx, slog.LevelError, "events were given up", attrs...)
	case noticeFull:
		n.log.LogAttrs(ctx, slog.LevelWarn, "events are dropped: the emitter's buffer is full", attrs...)
	case noticeRefused:
		n.log.LogAttrs(ctx, slog.LevelWarn, "events are refused by the emitter", attrs...)
	case noticePanic:
		n.log.LogAttrs(ctx, slog.LevelError, "a function of the emitter's configuration panicked", attrs...)
	case noticeOver:
		n.log.LogAttrs(ctx, slog.LevelInfo, "events are written to Kafka again", attrs...)
	}
}
