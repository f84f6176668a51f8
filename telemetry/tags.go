package telemetry

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/ext"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Span tags that more than one place names.
const (
	tagTraceID = "llm.trace_id"
	tagSpanID  = "llm.span_id"
	tagPass    = "eval.pass"
)

// maxTagBytes bounds the value of a span tag. Agents cut at 25 kB, and refuse a
// whole payload, its neighbours included, when a tag is too long for them.
const maxTagBytes = 2048

// tagList is a list of text tags that several spans share.
type tagList []textTag

type textTag struct{ key, value string }

// eventTags are the tags that say which request a span is about.
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

// setVerdict sets a verdict's tags. A failed evaluation is a result and no error
// of the span; an evaluation that failed is one.
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

// setNumber sets a number, unless it is none.
func setNumber(s *tracer.Span, key string, value float64) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		s.SetTag(key, value)
	}
}

// capped cuts a value at 2 KiB, between characters, and mends invalid UTF-8.
func truncateTag(s string) string {
	// Mending can lengthen, hence the second cut; the first one bounds its work.
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
