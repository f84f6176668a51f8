package telemetry

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// discarding reports whether t has no destination: it is nil or zero, or neither sends nor
// serves metrics.
func (t *Telemetry) discarding() bool { return t == nil || t.queue == nil }

// Report counts an evaluated event and queues its report. When the queue is full, or
// Telemetry is closed, the report is dropped and counted; the event is counted
// anyway. The caller must not change r afterwards.
func (t *Telemetry) Report(r *eval.Report) {
	if t.discarding() {
		return
	}
	t.events.evaluated.add(1)
	t.intake.RLock()
	defer t.intake.RUnlock()
	if t.closed {
		t.drops.add(SinkReports, "closed", 1)
		return
	}
	select {
	case t.queue <- r:
	default:
		t.drops.add(SinkReports, "queue_full", 1)
	}
}

// Skipped counts events for which no evaluator ran. It costs one atomic addition.
func (t *Telemetry) Skipped(d eval.Disposition, n int) {
	if t.discarding() {
		return
	}
	if d == eval.DispositionUnwanted {
		t.events.unwanted.add(n)
	} else {
		t.events.sampledOut.add(n)
	}
}

// DeadLettered counts an event that became a dead letter.
func (t *Telemetry) DeadLettered(reason eval.Reason) {
	if t.discarding() {
		return
	}
	t.events.deadLettered.add(1)
	t.meter.count(countEvents, 1, nil, string(eval.DispositionDeadLettered), string(reason))
}

// Cases counts n new cases from the failures of a report. They are tagged with the
// evaluator only if it is certain: for a single failure, or when all failures were
// new.
func (t *Telemetry) Cases(r *eval.Report, n int) {
	if t.discarding() || n <= 0 {
		return
	}
	var failures []string
	for i := range r.Verdicts {
		if r.Verdicts[i].Outcome == eval.OutcomeFail {
			failures = append(failures, r.Verdicts[i].Eval)
		}
	}
	switch len(failures) {
	case 1:
		t.meter.count(countCases, int64(n), nil, failures[0])
	case n:
		for _, name := range failures {
			t.meter.count(countCases, 1, nil, name)
		}
	default:
		t.meter.count(countCases, int64(n), nil, "several")
	}
}

// Partitions says which partitions the worker has. The gauges of others end.
func (t *Telemetry) Partitions(ids ...int) {
	if !t.discarding() {
		t.meter.partitions(ids)
	}
}

// Lag sets how many messages of a partition lie after the committed offset, and how many
// of all are not finished. A number below zero is not known: its gauge ends.
func (t *Telemetry) Lag(partition int, lag, unfinished int64) {
	t.backlog(gaugeLag, partition, float64(lag))
	t.backlog(gaugeUnfinished, partition, float64(unfinished))
}

// OldestAge sets the age, in seconds, of the oldest message of a partition that is not
// finished. A number below zero is not known: its gauge ends.
func (t *Telemetry) OldestAge(partition int, seconds float64) {
	t.backlog(gaugeOldestAge, partition, seconds)
}

func (t *Telemetry) backlog(g gaugeID, partition int, v float64) {
	switch {
	case t.discarding():
	case v < 0:
		t.meter.unset(g, strconv.Itoa(partition))
	default:
		t.meter.gauge(g, v, strconv.Itoa(partition))
	}
}

// Unaccounted sets the number of events that were consumed and have no end.
func (t *Telemetry) Unaccounted(n int64) {
	if !t.discarding() {
		t.meter.gauge(gaugeUnaccounted, float64(n))
	}
}

// Inflight sets the number of events in flight.
func (t *Telemetry) Inflight(n int) {
	if !t.discarding() {
		t.inflight.Store(int64(n))
	}
}

// StoreDown sets whether failing events wait because the store is down.
func (t *Telemetry) StoreDown(down bool) {
	t.setDown(gaugeStoreDown, down)
}

// KafkaDown sets whether Kafka cannot be used.
func (t *Telemetry) KafkaDown(down bool) {
	t.setDown(gaugeKafkaDown, down)
}

// PartitionsDown sets the number of the worker's partitions that cannot be read.
func (t *Telemetry) PartitionsDown(n int) {
	if !t.discarding() {
		t.meter.gauge(gaugePartitionsDown, float64(n))
	}
}

// SamplerSkewed sets the number of pairs of an evaluator and a rule whose sample is
// skewed.
func (t *Telemetry) SamplerSkewed(n int) {
	if !t.discarding() {
		t.meter.gauge(gaugeSamplerSkewed, float64(n))
	}
}

// JudgesHeld sets the number of evaluations that wait for a model that is down.
func (t *Telemetry) JudgesHeld(n int) {
	if !t.discarding() {
		t.meter.gauge(gaugeJudgesHeld, float64(n))
	}
}

func (t *Telemetry) setDown(g gaugeID, down bool) {
	if !t.discarding() {
		t.meter.gauge(g, zeroOrOne(down))
	}
}

func zeroOrOne(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Dropped counts losses of another part, by sink and reason, both from small sets. A
// disabled Telemetry counts them too, because losses must be visible without Datadog.
func (t *Telemetry) Dropped(sink, reason string, n int) {
	if t != nil && t.drops != nil {
		t.drops.add(sink, reason, int64(n))
	}
}

// Outcomes of a reload.
const (
	reloadApplied = "applied"
	reloadRefused = "refused"
)

// Reload counts a reload of the configuration, applied or refused. A refused one is on
// disk until another is applied, or the worker ends.
func (t *Telemetry) Reload(applied bool) {
	if t.discarding() {
		return
	}
	outcome := reloadApplied
	if !applied {
		outcome = reloadRefused
	}
	t.refused.Store(!applied)
	t.meter.count(countReloads, 1, nil, outcome)
}

// JudgeCall is one call of a model by a judge.
type JudgeCall struct {
	Eval         string // evaluator
	Model        string
	Latency      time.Duration
	InputTokens  int64
	OutputTokens int64
	CostNanoUSD  int64 // billionths of a US dollar; counts only when CostKnown
	CostKnown    bool
	Reason       eval.Reason // empty for a call that succeeded
}

// JudgeCall records one call of a model. A verdict's usage is the sum of such calls,
// so reports do not count it again.
func (t *Telemetry) JudgeCall(c JudgeCall) {
	if t.discarding() {
		return
	}
	t.meter.distribution(distributionJudgeLatency, float64(c.Latency)/float64(time.Millisecond), nil, c.Eval, c.Model)
	t.meter.count(countJudgeTokens, c.InputTokens, nil, c.Eval, c.Model, "input")
	t.meter.count(countJudgeTokens, c.OutputTokens, nil, c.Eval, c.Model, "output")
	if c.CostKnown {
		t.meter.distribution(distributionJudgeCost, float64(c.CostNanoUSD)/1e9, nil, c.Eval, c.Model)
	}
	if c.Reason != "" {
		t.meter.count(countJudgeErrors, 1, nil, c.Eval, c.Model, string(c.Reason))
	}
}

// Stats returns the state of telemetry itself, and the losses of all parts.
func (t *Telemetry) Stats() Stats {
	switch {
	case t == nil || t.drops == nil:
		return Stats{}
	case t.discarding():
		return Stats{Drops: t.drops.snapshot()}
	}
	s := Stats{
		Enabled: t.tracing != nil, Queued: len(t.queue), QueueCapacity: cap(t.queue),
		Events: map[eval.Disposition]int64{
			eval.DispositionEvaluated:    t.events.evaluated.total.Load(),
			eval.DispositionUnwanted:     t.events.unwanted.total.Load(),
			eval.DispositionSampledOut:   t.events.sampledOut.total.Load(),
			eval.DispositionDeadLettered: t.events.deadLettered.total.Load(),
		},
		Drops: t.drops.snapshot(), TagOverflow: t.meter.tagOverflows(), SeriesOverflow: t.meter.seriesOverflows(),
	}
	if x := t.meter.prometheus; x != nil {
		s.Prometheus = &PrometheusStats{Series: x.series()}
	}
	return s
}

// ServeMetrics answers with all metrics in a form that Prometheus reads. There are none
// if New was not told to keep them.
func (t *Telemetry) ServeMetrics(w http.ResponseWriter, r *http.Request) {
	if t.discarding() || t.meter.prometheus == nil {
		http.NotFound(w, r)
		return
	}
	t.meter.prometheus.ServeHTTP(w, r)
}

// tally counts events by disposition.
type tally struct{ evaluated, unwanted, sampledOut, deadLettered counter }

// counter is a total and the part of it that has been sent.
type counter struct {
	total atomic.Int64
	sent  int64 // queue goroutine only
}

func (c *counter) add(n int) { c.total.Add(int64(n)) }

// unsent returns the count since the last call.
func (c *counter) unsent() int64 {
	total := c.total.Load()
	n := total - c.sent
	c.sent = total
	return n
}
