package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	slogtrace "github.com/DataDog/dd-trace-go/contrib/log/slog/v2"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
)

// LogHandler gives a handler that adds dd.trace_id and dd.span_id to a record
// whose context carries a span, at the top level even inside groups. It works on
// a nil Telemetry too: then no context carries a span.
func (t *Telemetry) LogHandler(h slog.Handler) slog.Handler { return slogtrace.WrapHandler(h) }

// tracerLog routes what the tracer has to say into the program's log, a few
// lines a minute: an agent that is down makes it talk at every flush.
type tracerLog struct {
	out     *slog.Logger
	stopped atomic.Bool

	mu         sync.Mutex
	since      time.Time // guarded by mu; start of the current minute
	lines      int       // guarded by mu; written in it
	suppressed int       // guarded by mu; since the last line that was written
}

// tracerLines is how many lines a minute the tracer may write.
const tracerLines = 6

func newTracerLog(log *slog.Logger) *tracerLog { return &tracerLog{out: log} }

// stop silences the tracer, which keeps its logger after it has stopped.
func (l *tracerLog) silence() { l.stopped.Store(true) }

// The tracer's levels, from debug to error, are the numbers 0 to 3.
var tracerLevels = [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelWarn}

// log is the tracer's logger. Its errors are warnings here: the worker does not
// depend on them, and what was lost is counted.
func (l *tracerLog) log(level tracer.LogLevel, msg string, _ ...any) {
	ctx := context.Background()
	to := slog.LevelWarn
	if int(level) >= 0 && int(level) < len(tracerLevels) {
		to = tracerLevels[level]
	}
	if l.stopped.Load() || !l.out.Enabled(ctx, to) {
		return
	}
	suppressed, ok := l.allow(time.Now())
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("message", truncateTag(msg))}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	l.out.LogAttrs(ctx, to, "tracer", attrs...)
}

// admit takes one line of the minute's budget, and tells how many were refused
// since the last one.
func (l *tracerLog) allow(now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.lines = now, 0
	}
	if l.lines >= tracerLines {
		l.suppressed++
		return 0, false
	}
	l.lines++
	suppressed, l.suppressed = l.suppressed, 0
	return suppressed, true
}
