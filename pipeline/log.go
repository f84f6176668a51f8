package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Keys of log attributes.
const (
	keyRequest = "request_id"
	keyTrace   = "llm.trace_id"
	keyEval    = "eval"
	keyReason  = "reason"
	keyError   = "error"
	keyCount   = "count"
)

// complainEvery is how often one kind of failure is worth a line: during a
// model's outage there are thousands.
const complainEvery = time.Minute

// complaints counts failed evaluations between two lines of the log. Its keys are
// evaluators and the closed set of reasons, so it is bounded.
type complaints struct {
	mu   sync.Mutex
	held map[complaint]held // guarded by mu
}

type complaint struct {
	eval   string
	reason eval.Reason
}

type held struct {
	since time.Time // when the last line was written
	count int       // failures since then
}

// due counts a failure, and gives how many there were when it is time for a line.
func (c *complaints) due(k complaint, now time.Time) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[complaint]held{}
	}
	h := c.held[k]
	h.count++
	if !h.since.IsZero() && now.Sub(h.since) < complainEvery {
		c.held[k] = h
		return 0, false
	}
	c.held[k] = held{since: now}
	return h.count, true
}

// complain logs a failed evaluation: the first of its kind as a warning, further
// ones as a count once a minute, and each at debug level. A panic is a bug of
// ours and an error. Work that was stopped is no failure.
func (p *Pipeline) complain(ctx context.Context, e *event.Event, entry Entry, err error) {
	reason := eval.ReasonOf(err)
	attrs := attrs(e, entry, err)
	p.log.LogAttrs(ctx, slog.LevelDebug, "evaluation failed", attrs...)
	if reason == eval.ReasonCanceled {
		return
	}
	n, due := p.complaints.due(complaint{entry.Name(), reason}, time.Now())
	if !due {
		return
	}
	level := slog.LevelWarn
	if reason == eval.ReasonPanic {
		level = slog.LevelError
	}
	p.log.LogAttrs(ctx, level, "evaluations fail: their verdicts are errors, which enter no rate", append(attrs, slog.Int(keyCount, n))...)
}

func attrs(e *event.Event, entry Entry, err error) []slog.Attr {
	trace, _ := e.Origin()
	out := []slog.Attr{
		slog.String(keyEval, entry.Name()),
		slog.String(keyReason, string(eval.ReasonOf(err))),
		slog.String(keyRequest, string(e.RequestID)),
		slog.Any(keyError, err),
	}
	if !trace.IsZero() {
		out = append(out, slog.String(keyTrace, trace.String()))
	}
	return out
}
