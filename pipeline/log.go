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
	keyPlace   = "place"
	keyMend    = "mend"
)

// logIDs logs an event whose ids link it to no span, or contradict each other: the first
// with each fault, and further ones as a count once a minute. It is a warning when the
// application wrote something that cannot be read.
func (p *Pipeline) logIDs(ctx context.Context, e *event.Event) {
	fault, place := e.LinkFault()
	if fault == "" {
		return
	}
	limiter, ok := p.ids.Load(fault)
	if !ok {
		limiter, _ = p.ids.LoadOrStore(fault, &outage.Limiter{})
	}
	seen, due := limiter.(*outage.Limiter).Allow()
	if !due {
		return
	}
	level, mend := slog.LevelInfo, ""
	switch fault {
	case event.LinkTraceMalformed, event.LinkSpanMalformed:
		level = slog.LevelWarn
		mend = "write trace_context, or ids as hexadecimal or decimal text with all their digits"
	case event.LinkDiffers:
		mend = "publish the ids of one span, unless it is Kafka's instrumentation that adds the other"
	case event.LinkSpanMissing:
		mend = "publish span_id beside trace_id, or trace_context"
	case event.LinkZero:
		mend = "publish while the request's span is active"
	case event.LinkAbsent:
		mend = "publish trace_context, if the application is traced"
	}
	p.log.LogAttrs(ctx, level, "ids of events link to no span", slog.String(keyReason, string(fault)), slog.String(keyPlace, place),
		slog.String(keyRequest, string(e.RequestID)), seen.Attr(), slog.String(keyMend, mend))
}

// failureKind groups failed evaluations in the log, because a model's outage causes
// thousands. There are few kinds, because the set of reasons is closed.
type failureKind struct {
	eval   string
	reason eval.Reason
	cause  string // of few, such as a certificate that has ended; empty: the reason is enough
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
	limiter, _ := p.failures.LoadOrStore(failureKind{ev.Name(), reason, outage.CauseOf(err)}, &outage.Limiter{})
	seen, due := limiter.(*outage.Limiter).Allow()
	if !due {
		return
	}
	level := slog.LevelWarn
	if reason == eval.ReasonPanic {
		level = slog.LevelError
	}
	p.log.LogAttrs(ctx, level, "evaluations fail: their verdicts are errors, which enter no rate", append(attrs, seen.Attr())...)
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
