package telemetry

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// evaluation is one evaluation as LLM Observability takes it.
type evaluation struct {
	join  join
	label string
	// value is a float64 (a score), a bool, a string (a category) or a
	// map[string]any (JSON). All evaluations of a label have one type.
	value      any
	assessment string // pass or fail; empty when nothing was decided
	reasoning  string // redacted; empty unless it is allowed
	mlApp      string
	at         time.Time
	tags       []string
	metadata   map[string]any
}

// Ends of the labels of what is sent beside a score.
const (
	labelOutcome  = "_outcome"
	labelCriteria = "_criteria"
)

// evaluations returns the evaluations of a report, and counts those that belong to no
// span or come too late.
//
// A decided verdict of a judge or of feedback is a score, one of a validator a boolean,
// because its score is 0 or 1. A verdict that decides nothing is neither: an error and
// cannot_judge are a category under another label, without an assessment, and
// not_applicable says nothing about the request and is not sent. The answers to the
// criteria of a rubric are one JSON value.
func (s *submitter) evaluations(r *eval.Report) []evaluation {
	var rows []evaluation
	for i := range r.Verdicts {
		rows = s.appendVerdict(rows, r, &r.Verdicts[i])
	}
	if len(rows) == 0 {
		return nil
	}
	to, ok := s.cfg.joinOf(r.Event)
	switch {
	case !ok:
		s.drops.add(SinkLLMObs, lostNoSpan, int64(len(rows)))
		return nil
	case s.cfg.MaxAge > 0 && !r.Event.OccurredAt.IsZero() && eventAge(r) > s.cfg.MaxAge:
		s.drops.add(SinkLLMObs, lostTooOld, int64(len(rows)))
		return nil
	}
	for i := range rows {
		rows[i].join, rows[i].mlApp = to, cmp.Or(to.mlApp, s.cfg.MLApp)
		if to.openTelemetry {
			rows[i].tags = append(rows[i].tags, "source:otel")
		}
	}
	return rows
}

func (s *submitter) appendVerdict(rows []evaluation, r *eval.Report, v *eval.Verdict) []evaluation {
	row := evaluation{at: evaluatedAt(r, v), tags: evaluationTags(r, v), metadata: evaluationMetadata(r, v)}
	switch {
	case !v.Outcome.Decided():
		if v.Outcome != eval.OutcomeNotApplicable {
			row.label, row.value = evaluationLabel(v.Eval, labelOutcome), v.Outcome.String()
			rows = append(rows, row)
		}
	case v.Type == eval.TypeJSONSchema || v.Type == eval.TypeRule:
		row.label, row.value, row.assessment = evaluationLabel(v.Eval, ""), v.Outcome == eval.OutcomePass, v.Outcome.String()
		rows = append(rows, row)
	case math.IsNaN(v.Score) || math.IsInf(v.Score, 0):
		s.drops.add(SinkLLMObs, lostInvalid, 1)
	default:
		row.label, row.value, row.assessment = evaluationLabel(v.Eval, ""), v.Score, v.Outcome.String()
		if s.cfg.Reasoning && v.Type == eval.TypeLLMJudge && v.Explanation != "" {
			row.reasoning = truncateTag(s.redact(v.Explanation))
		}
		rows = append(rows, row)
	}
	if criteria := criteriaOf(v); criteria != nil {
		row.label, row.value, row.assessment, row.reasoning = evaluationLabel(v.Eval, labelCriteria), criteria, "", ""
		rows = append(rows, row)
	}
	return rows
}

// criteriaOf returns the outcome of each criterion, without the model's words.
func criteriaOf(v *eval.Verdict) map[string]any {
	if len(v.Criteria) == 0 {
		return nil
	}
	out := make(map[string]any, len(v.Criteria))
	for _, c := range v.Criteria {
		out[c.ID] = c.Outcome.String()
	}
	return out
}

// evaluatedAt returns when the verdict was there.
func evaluatedAt(r *eval.Report, v *eval.Verdict) time.Time {
	if v.Started.IsZero() {
		return r.Started.Add(r.Duration)
	}
	return v.Started.Add(v.Duration)
}

// evaluationTags returns the tags of a verdict's evaluations.
func evaluationTags(r *eval.Report, v *eval.Verdict) []string {
	tags := make([]string, 0, 8)
	for _, t := range [...]textTag{
		{"env", r.Event.Environment},
		{"eval_type", string(v.Type)},
		{"eval_version", v.Version},
		{"prompt_name", r.Event.PromptName},
		{"prompt_version", r.Event.PromptVersion},
		{"reason", v.Reason},
	} {
		if value := sanitizeValue(t.value); value != "" {
			tags = append(tags, t.key+":"+value)
		}
	}
	if v.Probability > 0 && v.Probability <= 1 {
		tags = append(tags, "sample_probability:"+strconv.FormatFloat(v.Probability, 'g', -1, 64))
	}
	return tags
}

// evaluationMetadata returns what helps to find a verdict again, and no content.
func evaluationMetadata(r *eval.Report, v *eval.Verdict) map[string]any {
	m := map[string]any{"request_id": truncateTag(string(r.Event.RequestID))}
	if v.Label != "" {
		m["label"] = truncateTag(v.Label)
	}
	if v.Confidence > 0 && !math.IsInf(v.Confidence, 0) {
		m["confidence"] = v.Confidence
	}
	if v.Usage != nil && v.Usage.Model != "" {
		m["judge_model"] = truncateTag(v.Usage.Model)
	}
	return m
}

// maxLabel is the length that Datadog allows for a label.
const maxLabel = 200

// isLabel reports whether Datadog takes s as a label: a letter first, then letters,
// digits and underscores.
func isLabel(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// evaluationLabel returns the label of what an evaluator says. The name of a configured
// evaluator is its label. Any other name, and one that ends as the labels beside a score
// do, is made valid and gets a suffix of its own, so that two evaluators never share a
// label, whichever worker sees which first.
func evaluationLabel(name, end string) string {
	if isLabel(name) && len(name)+len(end) <= maxLabel && !strings.HasSuffix(name, labelOutcome) && !strings.HasSuffix(name, labelCriteria) {
		return name + end
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	valid := []byte("e_" + name)
	if isLabel(name[:min(len(name), 1)]) {
		valid = valid[len("e_"):]
	}
	valid = valid[:min(len(valid), 100)]
	for i, c := range valid {
		if !isLabel("a" + string(rune(c))) {
			valid[i] = '_'
		}
	}
	return fmt.Sprintf("%s_%016x%s", valid, hash.Sum64(), end)
}
