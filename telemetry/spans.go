package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/ext"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"golang.org/x/time/rate"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Names of the spans.
const (
	spanRun        = "eval.run"
	spanValidation = "output.validation"
	spanScore      = "eval.score"
)

// How a run is tied to the original span.
const (
	modeChild = "child"
	modeLink  = "link"
	modeNone  = "none"
)

// spans makes the spans of reports. It belongs to the queue's goroutine.
type spans struct {
	propagator  tracer.Propagator
	maxChildAge time.Duration
	keep        *rate.Limiter // failing traces kept a second
	resource    func(feature string) string
	meter       *meter
	log         *slog.Logger
}

// report makes the spans of one report: they start and end when the work did.
func (s *spans) report(r *eval.Report) {
	o := originOf(s.propagator, r.Event)
	mode := s.mode(&o, r)
	s.meter.count(countLinks, 1, nil, mode, o.source)

	opts := []tracer.StartSpanOption{
		tracer.StartTime(r.Started),
		tracer.ResourceName(s.resourceOf(r.Event)),
		tracer.SpanType(ext.SpanTypeMessageConsumer),
		tracer.Tag(ext.SpanKind, ext.SpanKindConsumer),
		tracer.Measured(),
	}
	if o.known() {
		opts = append(opts, tracer.WithSpanLinks([]tracer.SpanLink{o.link()}))
	}
	if mode == modeChild {
		// ChildOf is the only way to a parent in another process.
		opts = append(opts, tracer.ChildOf(o.parent)) //nolint:staticcheck // SA1019: see above
	}
	run := tracer.StartSpan(spanRun, opts...)
	event := eventTags(r.Event, &o)
	event.set(run)
	failed := r.Failed()
	setText(run, "eval.link_mode", mode)
	setText(run, "eval.policy", r.Plan.Revision)
	run.SetTag("eval.failed", failed)
	for i := range r.Verdicts {
		s.verdict(run, r, &r.Verdicts[i], event)
	}
	if failed && mode != modeChild && s.keep.Allow() {
		run.SetTag(ext.ManualKeep, true) // before the root ends, or it is too late
	}
	run.Finish(tracer.FinishTime(r.Started.Add(r.Duration)))
	s.logRun(run, r, &o, mode)
}

// mode chooses between child and link. A child of a trace that was dropped
// would be an orphan, and one of an old trace may not be shown with it. An event
// without a time has no known age, and feedback has its own: its trace may be of
// yesterday.
func (s *spans) mode(o *origin, r *eval.Report) string {
	switch {
	case !o.known():
		return modeNone
	case o.parent == nil || o.priority <= 0 || r.Event.OccurredAt.IsZero():
		return modeLink
	case r.Event.Kind == event.KindUserFeedback:
		return modeLink
	case eventAge(r) > s.maxChildAge:
		return modeLink
	}
	return modeChild
}

// age is the time from the end of the request to the end of its evaluation.
func eventAge(r *eval.Report) time.Duration {
	return r.Started.Add(r.Duration).Sub(r.Event.OccurredAt)
}

// resourceOf groups runs by feature: few-valued, as resources must be.
func (s *spans) resourceOf(e *event.Event) string {
	if feature := s.resource(e.Feature); feature != "" {
		return feature
	}
	return string(e.Kind)
}

func (s *spans) verdict(run *tracer.Span, r *eval.Report, v *eval.Verdict, event tagList) {
	start := v.Started
	if start.IsZero() {
		start = r.Started
	}
	end := tracer.FinishTime(start.Add(v.Duration))
	parent := run
	if v.Type == eval.TypeJSONSchema {
		parent = run.StartChild(spanValidation, tracer.StartTime(start), tracer.ResourceName(truncateTag(v.Eval)), tracer.Measured())
		setText(parent, "schema_name", schemaOf(r.Event, v))
		if valid, known := jsonValid(v); known {
			parent.SetTag("json_valid", valid)
		}
		defer parent.Finish(end)
	}
	score := parent.StartChild(spanScore, tracer.StartTime(start), tracer.ResourceName(truncateTag(v.Eval)), tracer.Measured())
	event.set(score)
	setVerdict(score, v)
	score.Finish(end, tracer.NoDebugStack())
}

// logged writes one line an event at debug level, tied to the run's span and to
// the original one.
func (s *spans) logRun(run *tracer.Span, r *eval.Report, o *origin, mode string) {
	ctx := tracer.ContextWithSpan(context.Background(), run)
	if !s.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("request_id", string(r.Event.RequestID)), slog.String("mode", mode), slog.Int("verdicts", len(r.Verdicts))}
	if o.known() {
		attrs = append(attrs, slog.String(tagTraceID, o.trace.String()), slog.String(tagSpanID, o.span.String()))
	}
	s.log.LogAttrs(ctx, slog.LevelDebug, "event evaluated", attrs...)
}

// schemaOf names the schema that a verdict is about. Where none was checked with,
// it is the one that the event names, or else the evaluator stands for it.
func schemaOf(e *event.Event, v *eval.Verdict) string {
	return cmp.Or(v.Schema, e.OutputSchema, v.Eval)
}

// jsonValid says whether the output was valid JSON as it stood, and whether that
// is known: by the evaluator's measure, or else by a decided outcome.
func jsonValid(v *eval.Verdict) (valid, known bool) {
	if measure, ok := v.Measures[eval.MeasureJSONValid]; ok {
		return measure == 1, true
	}
	return v.Outcome == eval.OutcomePass, v.Outcome.Decided()
}

// errorReason keeps error.type a closed set.
func errorReason(v *eval.Verdict) string {
	if slices.Contains(eval.Reasons(), eval.Reason(v.Reason)) {
		return v.Reason
	}
	return string(eval.ReasonInternal)
}
