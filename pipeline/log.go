package pipeline

import (
	"context"
	"log/slog"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/policy"
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

// failureKind groups failed evaluations in the log, because a model's outage causes
// thousands. There are few kinds, because the set of reasons is closed.
type failureKind struct {
	eval   string
	reason eval.Reason
}

// logFailure logs a failed evaluation: the first of its kind as a warning, further
// ones as a count once a minute, and each at debug level. A panic is a bug and
// therefore an error. Work that was cancelled has not failed.
func (p *Pipeline) logFailure(ctx context.Context, e *event.Event, ev policy.Evaluator, err error) {
	reason := eval.ReasonOf(err)
	attrs := attrs(e, ev, err)
	p.log.LogAttrs(ctx, slog.LevelDebug, "evaluation failed", attrs...)
	if reason == eval.ReasonCanceled {
		return
	}
	limiter, _ := p.failures.LoadOrStore(failureKind{ev.Name(), reason}, &outage.Limiter{})
	n, due := limiter.(*outage.Limiter).Allow()
	if !due {
		return
	}
	level := slog.LevelWarn
	if reason == eval.ReasonPanic {
		level = slog.LevelError
	}
	p.log.LogAttrs(ctx, level, "evaluations fail: their verdicts are errors, which enter no rate", append(attrs, slog.Int(keyCount, n))...)
}

func attrs(e *event.Event, ev policy.Evaluator, err error) []slog.Attr {
	trace, _ := e.Origin()
	out := []slog.Attr{
		slog.String(keyEval, ev.Name()),
		slog.String(keyReason, string(eval.ReasonOf(err))),
		slog.String(keyRequest, string(e.RequestID)),
		slog.Any(keyError, err),
	}
	if !trace.IsZero() {
		out = append(out, slog.String(keyTrace, trace.String()))
	}
	return out
}
