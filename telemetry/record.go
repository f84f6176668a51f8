package telemetry

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// recorder turns reports into metrics. Only the queue's goroutine uses it.
type recorder struct {
	meter    *meter
	drops    *drops
	random   *rand.Rand
	requests bool // also metrics of the request itself

	toolNames *toolNames
}

func (c *recorder) report(r *eval.Report) {
	dims := c.meter.dimsOf(r.Event)
	for i := range r.Verdicts {
		c.verdict(r, &r.Verdicts[i], dims)
	}
	for _, field := range r.Event.Ignored() {
		c.meter.count(countFieldsIgnored, 1, nil, field)
	}
	if !r.Event.OccurredAt.IsZero() {
		c.meter.distribution(distributionEventAge, max(0, eventAge(r).Seconds()), nil)
	}
	if r.Event.Kind != event.KindRequestCompleted {
		return // feedback repeats fields of the request's own event
	}
	c.tools(r.Event, dims)
	c.retrieval(r.Event, dims)
	if c.requests {
		c.request(r.Event, dims)
	}
}

func (c *recorder) verdict(r *eval.Report, v *eval.Verdict, dims []string) {
	outcome := v.Outcome.String()
	c.meter.count(countEvaluations, 1, dims, v.Eval, outcome)
	if n, ok := weight(v.Probability, c.random.Float64()); ok {
		c.meter.count(countWeighted, n, dims, v.Eval, outcome)
	} else {
		c.drops.add(SinkValues, "no_probability", 1)
	}
	if v.Outcome.Decided() {
		c.meter.score(v.Eval, v.Score, dims)
	}
	if v.Type == eval.TypeJSONSchema {
		if valid, known := jsonValid(v); known {
			schema := schemaOf(r.Event, v)
			c.meter.count(countJSONChecked, 1, dims, schema)
			if !valid {
				c.meter.count(countJSONInvalid, 1, dims, schema)
			}
		}
	}
}

// weight returns 1/p, the Horvitz-Thompson weight of one sampled event, rounded
// down or up such that its mean over a uniform u in [0,1) is exactly 1/p. It
// reports false when p is not in (0,1].
func weight(p, u float64) (int64, bool) {
	if !(p > 0 && p <= 1) {
		return 0, false
	}
	w := min(1/p, 1<<53)
	whole := math.Floor(w)
	n := int64(whole)
	if u < w-whole {
		n++
	}
	return n, true
}

func (c *recorder) tools(e *event.Event, dims []string) {
	calls := e.Calls()
	if len(calls) == 0 {
		return
	}
	offered := c.toolNames.offered(e)
	for i := range calls {
		tool := c.toolNames.name(&calls[i], offered)
		c.meter.count(countToolCalls, 1, dims, tool)
		if calls[i].Failed() {
			c.meter.count(countToolFailures, 1, dims, tool)
		}
	}
}

func (c *recorder) retrieval(e *event.Event, dims []string) {
	if e.Retrieval == nil {
		return
	}
	if score := e.Retrieval.TopScore; score != nil {
		c.meter.distribution(distributionTopScore, *score, dims, e.Retrieval.Index)
	}
	if hits := e.Retrieval.HitCount; hits != nil {
		c.meter.distribution(distributionHitCount, float64(*hits), dims, e.Retrieval.Index)
	}
}

func (c *recorder) request(e *event.Event, dims []string) {
	c.meter.count(countRequests, 1, dims)
	if strings.EqualFold(e.Status, "error") {
		c.meter.count(countRequestErrors, 1, dims)
	}
	if n := e.InputTokens; n != nil {
		c.meter.count(countInputTokens, *n, dims)
	}
	if n := e.OutputTokens; n != nil {
		c.meter.count(countOutputTokens, *n, dims)
	}
	for _, m := range [...]struct {
		id distributionID
		v  *float64
	}{{distributionLatency, e.LatencyMS}, {distributionFirstToken, e.FirstTokenLatencyMS}, {distributionCost, e.EstimatedCostUSD}} {
		if m.v != nil {
			c.meter.distribution(m.id, *m.v, dims)
		}
	}
}
