package telemetry

import (
	"math"
	"math/rand/v2"
	"strconv"
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
	releases  *releases
}

func (c *recorder) report(r *eval.Report) {
	dims := c.meter.dimsOf(r.Event)
	// One draw rounds all weights of an event, so that of two of its counts with the same
	// probability the one that is a part of the other is not larger.
	u := c.random.Float64()
	for i := range r.Verdicts {
		c.verdict(r, &r.Verdicts[i], dims, u)
	}
	for _, field := range r.Event.Ignored() {
		c.meter.count(countFieldsIgnored, 1, nil, field)
	}
	if !r.Event.OccurredAt.IsZero() {
		c.meter.distribution(distributionEventAge, max(0, eventAge(r).Seconds()), nil)
	}
	w := c.weight(probability(&r.Plan), u)
	// A request and feedback on it are two statements: what feedback takes over from its
	// request does not include this one.
	if done := r.Event.TaskCompleted; done != nil {
		c.meter.count(countTasks, w, dims, strconv.FormatBool(*done))
	}
	if r.Event.Kind != event.KindRequestCompleted {
		return // feedback repeats fields of the request's own event
	}
	c.release(dims)
	c.tools(r.Event, dims, w)
	c.retrieval(r.Event, dims)
	if c.requests {
		c.request(r.Event, dims, w)
	}
}

func (c *recorder) verdict(r *eval.Report, v *eval.Verdict, dims *dimTags, u float64) {
	w := c.weight(v.Probability, u)
	c.meter.verdict(v, w, dims)
	if v.Type == eval.TypeJSONSchema {
		if valid, known := jsonValid(v); known {
			schema := schemaOf(r.Event, v)
			c.meter.count(countJSONChecked, w, dims, schema)
			if !valid {
				c.meter.count(countJSONInvalid, w, dims, schema)
			}
		}
	}
}

// probability returns the probability with which the event was evaluated at all. One hash
// decides for all evaluators, so it was when the hash is below the largest of their rates.
// A report whose plan has no candidates stands for itself: no sampler chose it.
func probability(p *eval.Plan) float64 {
	if len(p.Candidates) == 0 {
		return 1
	}
	var most float64
	for i := range p.Candidates {
		most = max(most, p.Candidates[i].Probability)
	}
	return most * p.Upstream
}

// weight returns the weight for a probability; 0, and counts a loss, when that is none.
func (c *recorder) weight(p, u float64) int64 {
	w, ok := weight(p, u)
	if !ok {
		c.drops.add(SinkValues, "no_probability", 1)
	}
	return w
}

// maxCount bounds what one event adds to a count, so that sums do not overflow.
const maxCount = 1 << 53

// weight returns 1/p, the Horvitz-Thompson weight of one sampled event, rounded
// down or up such that its mean over a uniform u in [0,1) is exactly 1/p. It
// reports false when p is not in (0,1].
func weight(p, u float64) (int64, bool) {
	if !(p > 0 && p <= 1) {
		return 0, false
	}
	return round(1/p, u), true
}

// round rounds v, which is not negative, down or up such that its mean over a uniform u in
// [0,1) is v.
func round(v, u float64) int64 {
	v = min(v, maxCount)
	whole := math.Floor(v)
	n := int64(whole)
	if u < v-whole {
		n++
	}
	return n
}

// times returns the count n of an event with the weight w; 0 when the event names one below 0.
func times(n, w int64) int64 {
	if n <= 0 {
		return 0
	}
	if w > maxCount/n {
		return maxCount
	}
	return n * w
}

func (c *recorder) tools(e *event.Event, dims *dimTags, w int64) {
	calls := e.Calls()
	if len(calls) == 0 {
		return
	}
	offered := c.toolNames.offered(e)
	for i := range calls {
		tool := c.toolNames.name(&calls[i], offered)
		c.meter.count(countToolCalls, w, dims, tool)
		if calls[i].Failed() {
			c.meter.count(countToolFailures, w, dims, tool)
		}
	}
}

func (c *recorder) retrieval(e *event.Event, dims *dimTags) {
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

func (c *recorder) request(e *event.Event, dims *dimTags, w int64) {
	c.meter.count(countRequests, w, dims)
	timeout := e.TimedOut()
	if timeout {
		c.meter.count(countRequestTimeouts, w, dims)
	}
	if timeout || strings.EqualFold(e.Status, "error") {
		c.meter.count(countRequestErrors, w, dims)
	}
	for _, m := range [...]struct {
		id countID
		n  *int64
	}{{countRetries, e.RetryCount}, {countInputTokens, e.InputTokens}, {countOutputTokens, e.OutputTokens}} {
		if m.n != nil {
			c.meter.count(m.id, times(*m.n, w), dims)
		}
	}
	for _, m := range [...]struct {
		id distributionID
		v  *float64
	}{{distributionLatency, e.LatencyMS}, {distributionFirstToken, e.FirstTokenLatencyMS}, {distributionCost, e.EstimatedCostUSD}} {
		switch {
		case m.v == nil:
		case *m.v < 0 && !math.IsInf(*m.v, -1): // the sum of a histogram would fall
			c.drops.add(SinkValues, "negative", 1)
		default:
			c.meter.distribution(m.id, *m.v, dims)
		}
	}
	// A fraction of a microdollar is rounded with a draw of its own, because the weight
	// already says something about the event's.
	if cost := e.EstimatedCostUSD; cost != nil && *cost > 0 && !math.IsInf(*cost, 0) {
		c.meter.count(countCost, round(*cost*1e6*float64(w), c.random.Float64()), dims)
	}
}
