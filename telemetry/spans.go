package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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

// Relations of an eval.run span to the original span.
const (
	modeChild = "child"
	modeLink  = "link"
	modeNone  = "none"
)

// spans creates the spans of reports. Only the queue's goroutine uses it.
type spans struct {
	propagator  tracer.Propagator
	maxChildAge time.Duration
	keep        *rate.Limiter // for failing traces
	resource    func(feature string) string
	meter       *meter
	log         *slog.Logger
}

// report creates the spans of one report, with the times of the work.
func (s *spans) report(r *eval.Report) {
	o := originOf(s.propagator, r.Event)
	mode := s.mode(&o, r)
	fault, _ := r.Event.LinkFault()
	s.meter.count(countLinks, 1, nil, mode, o.source, string(fault))

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
		run.SetTag(ext.ManualKeep, true) // has no effect after the root ends
	}
	run.Finish(tracer.FinishTime(r.Started.Add(r.Duration)))
	s.logRun(run, r, &o, mode)
}

// mode chooses between child and link. A child of a dropped trace would be an
// orphan, and a child of an old trace may not be shown with it. The age of a trace
// is unknown for an event without a time, and for feedback, which may come a day
// later.
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

// eventAge returns the time from the end of the request to the end of its
// evaluation.
func eventAge(r *eval.Report) time.Duration {
	return r.Started.Add(r.Duration).Sub(r.Event.OccurredAt)
}

// resourceOf returns the feature as the run's resource, because resources must be
// few-valued.
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

// logRun logs one line per event at debug level, with the ids of the run's span and
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

// schemaOf returns the name of the schema that the output was checked with, else
// the schema named in the event, else the evaluator's name.
func schemaOf(e *event.Event, v *eval.Verdict) string {
	return cmp.Or(v.Schema, e.OutputSchema, v.Eval)
}

// jsonValid reports whether the whole output was valid JSON, and whether that is
// known: from the evaluator's measure, or else from a decided outcome.
func jsonValid(v *eval.Verdict) (valid, known bool) {
	if measure, ok := v.Measures[eval.MeasureJSONValid]; ok {
		return measure == 1, true
	}
	return v.Outcome == eval.OutcomePass, v.Outcome.Decided()
}

// errorReason returns the verdict's reason for the tag error.type, a closed set.
func errorReason(v *eval.Verdict) string {
	if slices.Contains(eval.Reasons(), eval.Reason(v.Reason)) {
		return v.Reason
	}
	return string(eval.ReasonInternal)
}

// Span tags that are used in several places.
const (
	tagTraceID = "llm.trace_id"
	tagSpanID  = "llm.span_id"
	tagPass    = "eval.pass"
)

// maxTagBytes bounds the value of a span tag. Agents truncate at 25 kB, and reject
// a whole payload because of one tag that is much too long.
const maxTagBytes = 2048

// tagList is a list of text tags that several spans share.
type tagList []textTag

type textTag struct{ key, value string }

// eventTags returns the tags that identify the request.
func eventTags(e *event.Event, o *origin) tagList {
	tags := tagList{{"request_id", string(e.RequestID)}}
	for _, d := range dimensions {
		if d.span != "" {
			tags = append(tags, textTag{d.span, e.Dim(d.name)})
		}
	}
	if o.known() {
		tags = append(tags, textTag{tagTraceID, o.trace.String()}, textTag{tagSpanID, o.span.String()})
	}
	return tags
}

func (l tagList) set(s *tracer.Span) {
	for _, t := range l {
		setText(s, t.key, t.value)
	}
}

// setVerdict sets a verdict's tags. Only the outcome error marks the span as an
// error; a fail is a normal result.
func setVerdict(s *tracer.Span, v *eval.Verdict) {
	setText(s, "eval.name", v.Eval)
	setText(s, "eval.type", string(v.Type))
	setText(s, "eval.version", v.Version)
	setText(s, "eval.outcome", v.Outcome.String())
	setText(s, "eval.rule", v.Rule)
	setNumber(s, "eval.sample_rate", v.Probability)
	if v.Confidence > 0 {
		setNumber(s, "eval.confidence", v.Confidence)
	}
	setText(s, "gen_ai.evaluation.name", v.Eval)
	label := v.Label
	if v.Outcome.Decided() {
		setNumber(s, "eval.score", v.Score)
		s.SetTag(tagPass, v.Outcome == eval.OutcomePass)
		setNumber(s, "gen_ai.evaluation.score.value", v.Score)
		if label == "" {
			label = v.Outcome.String()
		}
	}
	setText(s, "gen_ai.evaluation.score.label", label)
	if v.Outcome == eval.OutcomeError {
		s.SetTag(ext.Error, true)
		setText(s, ext.ErrorType, errorReason(v))
	}
}

// setText sets a text tag, bounded; an empty value sets none.
func setText(s *tracer.Span, key, value string) {
	if value != "" {
		s.SetTag(key, truncateTag(value))
	}
}

// setNumber sets a number if it is finite.
func setNumber(s *tracer.Span, key string, value float64) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		s.SetTag(key, value)
	}
}

// truncateTag truncates a value to 2 KiB, between characters, and replaces invalid
// UTF-8.
func truncateTag(s string) string {
	// The first call bounds the work; the second is needed because replacing can
	// lengthen the value.
	return truncate(strings.ToValidUTF8(truncate(s), "\uFFFD"))
}

func truncate(s string) string {
	if len(s) <= maxTagBytes {
		return s
	}
	end := maxTagBytes
	for end > maxTagBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
