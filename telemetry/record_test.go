package telemetry

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestWeightIsUnbiased: over many events the mean of the rounded weights is 1/p,
// within five standard errors; the seed is fixed, so this cannot flake.
func TestWeightIsUnbiased(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for _, p := range []float64{1, 0.9, 0.7, 0.35, 0.3, 0.05, 0.033, 0.0007} {
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
		var sum float64
		for range n {
			w, ok := weight(p, random.Float64())
			if !ok {
				t.Fatalf("weight(%v) is refused", p)
			}
			if f := math.Abs(float64(w) - 1/p); f >= 1 {
				t.Fatalf("weight(%v) = %d is no rounding of %v", p, w, 1/p)
			}
			sum += float64(w)
		}
		frac := 1/p - math.Floor(1/p)
		tolerance := 5*math.Sqrt(frac*(1-frac)/n) + 1e-9/p
		if diff := math.Abs(sum/n - 1/p); diff > tolerance {
			t.Errorf("p = %v: mean weight %v, want %v within %v", p, sum/n, 1/p, tolerance)
		}
	}
}

func TestWeightRefuses(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{0, -0.1, 1.0001, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if w, ok := weight(p, 0.5); ok {
			t.Errorf("weight(%v) = %d, want none", p, w)
		}
	}
	if w, ok := weight(1e-300, 0.5); !ok || w != 1<<53 {
		t.Errorf("weight of a tiny probability = %d, %t", w, ok)
	}
}

// capture is a DogStatsD client that records its calls.
type capture struct {
	events []*statsd.Event
	counts map[string]int64
	values map[string][]float64
	tags   map[string][]string // of the last call
}

func newCapture() *capture {
	return &capture{nil, map[string]int64{}, map[string][]float64{}, map[string][]string{}}
}

func (c *capture) Count(name string, n int64, tags []string, _ float64) error {
	c.counts[name] += n
	c.tags[name] = append([]string(nil), tags...)
	return nil
}

func (c *capture) Gauge(name string, v float64, tags []string, _ float64) error {
	return c.Distribution(name, v, tags, 1)
}

func (c *capture) Distribution(name string, v float64, tags []string, _ float64) error {
	c.values[name] = append(c.values[name], v)
	c.tags[name] = append([]string(nil), tags...)
	return nil
}

func (c *capture) Event(e *statsd.Event) error {
	c.events = append(c.events, e)
	return nil
}

func (c *capture) Close() error { return nil }

func newTestRecorder(to target, maxValues int) (*recorder, *capture, *drops) {
	out, d := newCapture(), &drops{}
	m := newMeter(to, limits{maxValues, 2000}, d, slog.New(slog.DiscardHandler))
	m.statsd = out
	return &recorder{
		meter: m, drops: d, random: rand.New(rand.NewPCG(1, 1)), requests: true, //nolint:gosec // a test
		toolNames: newToolNames(nil), releases: newReleases(),
	}, out, d
}

// TestNumbersThatAreNone never leave, and are counted.
func TestNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	rec, out, d := newTestRecorder(target{}, 10)
	nan, inf := math.NaN(), math.Inf(1)
	rec.report(&eval.Report{
		Event: &event.Event{
			Kind: event.KindRequestCompleted, RequestID: "r", LatencyMS: &nan, FirstTokenLatencyMS: &inf, EstimatedCostUSD: new(math.Inf(-1)),
			Retrieval: &event.Retrieval{TopScore: &nan},
		},
		Verdicts: []eval.Verdict{
			{Eval: "a", Outcome: eval.OutcomePass, Score: nan, Probability: 1},
			{Eval: "b", Outcome: eval.OutcomeFail, Score: inf, Probability: nan},
		},
		Started: time.Now(),
	})
	if len(out.values) != 0 {
		t.Errorf("values left: %v", out.values)
	}
	want := map[string]int64{"not_finite": 6, "no_probability": 1}
	for _, drop := range d.snapshot() {
		if drop.Sink != SinkValues || drop.Count != want[drop.Reason] {
			t.Errorf("drop %+v, want %v", drop, want)
		}
		delete(want, drop.Reason)
	}
	if len(want) != 0 {
		t.Errorf("not counted: %v", want)
	}
	if out.counts["llm.eval.count"] != 2 || out.counts["llm.eval.weighted"] != 1 {
		t.Errorf("counts = %v", out.counts)
	}
}

// TestJSONCounts: valid JSON that violates a schema is valid.
func TestJSONCounts(t *testing.T) {
	t.Parallel()
	measured := func(valid float64) map[string]float64 { return map[string]float64{eval.MeasureJSONValid: valid} }
	tests := []struct {
		name             string
		verdict          eval.Verdict
		checked, invalid int64
	}{
		{"valid", eval.Verdict{Outcome: eval.OutcomePass, Measures: measured(1)}, 1, 0},
		{"valid JSON against its schema", eval.Verdict{Outcome: eval.OutcomeFail, Measures: measured(1)}, 1, 0},
		{"invalid", eval.Verdict{Outcome: eval.OutcomeFail, Measures: measured(0)}, 1, 1},
		{"fail without a measure", eval.Verdict{Outcome: eval.OutcomeFail}, 1, 1},
		{"not applicable", eval.Verdict{Outcome: eval.OutcomeNotApplicable}, 0, 0},
		{"error", eval.Verdict{}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec, out, _ := newTestRecorder(target{}, 10)
			tt.verdict.Eval, tt.verdict.Type, tt.verdict.Probability = "reply_format", eval.TypeJSONSchema, 1
			rec.report(&eval.Report{Event: &event.Event{}, Verdicts: []eval.Verdict{tt.verdict}})
			if out.counts["llm.json_checked"] != tt.checked || out.counts["llm.json_invalid"] != tt.invalid {
				t.Errorf("counts = %v, want %d checked, %d invalid", out.counts, tt.checked, tt.invalid)
			}
		})
	}
}

// TestSchemaTag: the schema that was checked with, whatever the event names.
func TestSchemaTag(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]eval.Verdict{
		"checked":      {Schema: "checked", Eval: "reply_format"},
		"named":        {Eval: "reply_format"},
		"reply_format": {Eval: "reply_format"},
	} {
		e := &event.Event{}
		if want != "reply_format" {
			e.OutputSchema = "named"
		}
		if got := schemaOf(e, &v); got != want {
			t.Errorf("schema of %+v = %q, want %q", v, got, want)
		}
	}
}

// TestEnvDimension: a metric has one env, whatever sets it.
func TestEnvDimension(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to    target
		event string
		want  string
	}{
		"the event's":                  {target{env: "worker"}, "staging", "env:staging"},
		"the worker's":                 {target{env: "worker"}, "", "env:worker"},
		"none":                         {target{}, "", "model:m"},
		"the client adds it by DD_ENV": {target{env: "worker", envTag: true}, "staging", "model:m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, out, _ := newTestRecorder(tt.to, 10)
			rec.report(&eval.Report{Event: &event.Event{Kind: event.KindRequestCompleted, Environment: tt.event, Model: "m"}})
			if tags := out.tags["llm.requests"]; len(tags) == 0 || tags[0] != tt.want {
				t.Errorf("tags = %v, want %s first", tags, tt.want)
			}
		})
	}
}

// TestDimsAreForgotten: the cached combinations stay bounded.
func TestDimsAreForgotten(t *testing.T) {
	t.Parallel()
	rec, _, _ := newTestRecorder(target{}, 3)
	for i := range 3 * maxDims {
		tags := rec.meter.dimsOf(&event.Event{Model: string(rune('a' + i%26)), PromptVersion: time.Duration(i).String()})
		if len(tags.tags) != 2 {
			t.Fatalf("tags = %v", tags)
		}
	}
	if n := len(rec.meter.dims); n > maxDims {
		t.Errorf("%d combinations are remembered", n)
	}
}

// TestTable: Datadog accepts names and keys, and each metric is listed once.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range Metrics() {
		if seen[m.Name] || m.Name == "" || m.Help == "" || m.Type == "" {
			t.Errorf("metric %+v", m)
		}
		seen[m.Name] = true
		own := len(m.Tags)
		if m.hasDims() {
			own -= len(dimKeys)
		}
		if own > maxOwnTags {
			t.Errorf("%s has %d tags of its own, a key holds %d", m.Name, own, maxOwnTags)
		}
	}
	for _, group := range []struct {
		want MetricType
		all  []Metric
	}{{TypeCount, counts[:]}, {TypeGauge, gauges[:]}, {TypeDistribution, distributions[:]}} {
		for _, m := range group.all {
			if m.Type != group.want {
				t.Errorf("%s is listed as %s and sent as %s", m.Name, m.Type, group.want)
			}
		}
	}
	m := Metrics()
	m[0].Tags[0] = "changed"
	if Metrics()[0].Tags[0] == "changed" || dimKeys[0] != "env" {
		t.Error("the table can be changed from outside")
	}
}

func TestDropsAreBounded(t *testing.T) {
	t.Parallel()
	d := &drops{}
	for i := range 1000 {
		d.add("sink", time.Duration(i).String(), 1)
	}
	d.add("sink", "x", 0)
	d.add("sink", "x", -1)
	all := d.snapshot()
	if len(all) > maxDropKeys+1 {
		t.Errorf("%d counters", len(all))
	}
	var sum, unsent int64
	for _, drop := range all {
		sum += drop.Count
	}
	for _, drop := range d.unsent() {
		unsent += drop.Count
	}
	if sum != 1000 || unsent != 1000 || len(d.unsent()) != 0 {
		t.Errorf("counted %d, to send %d; want 1000 each, once", sum, unsent)
	}
}

// TestNumbersBelowZero add nothing, whatever the weight: their product may be above what a
// count can hold.
func TestNumbersBelowZero(t *testing.T) {
	t.Parallel()
	rec, out, d := newTestRecorder(target{}, 10)
	rec.report(&eval.Report{
		Plan: eval.Plan{Candidates: []eval.Pick{{Probability: 0.5}}, Upstream: 1},
		Event: &event.Event{
			Kind: event.KindRequestCompleted, RequestID: "r", InputTokens: new(int64(-6_000_000_000_000_000_000)), RetryCount: new(int64(-1)),
			LatencyMS: new(-1.0), EstimatedCostUSD: new(-1e18), FirstTokenLatencyMS: new(0.0),
		},
	})
	if len(out.counts) != 1 || out.counts["llm.requests"] != 2 {
		t.Errorf("counts: %v", out.counts)
	}
	if len(out.values["llm.latency_ms"])+len(out.values["llm.estimated_cost_usd"]) != 0 || len(out.values["llm.first_token_latency_ms"]) != 1 {
		t.Errorf("values: %v", out.values)
	}
	if drops := d.snapshot(); len(drops) != 1 || drops[0] != (Drop{Sink: SinkValues, Reason: "negative", Count: 2}) {
		t.Errorf("drops: %+v", drops)
	}
}
