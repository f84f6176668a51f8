package boards

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// The simulated day is 1 June 2026 in UTC. A good version of a prompt is released at
// five, a bad one at two in the afternoon, and in the evening one provider is slow for
// an hour, which the judges feel too.
var (
	end       = time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
	firstDay  = end.Add(-24 * time.Hour)
	release1  = firstDay.Add(-time.Hour)
	release2  = firstDay.Add(5 * time.Hour)
	release3  = firstDay.Add(14 * time.Hour)
	outage    = firstDay.Add(19 * time.Hour)
	outageEnd = outage.Add(time.Hour)
)

// releases are what the worker sends an event about.
var releases = []struct {
	at      time.Time
	version string
}{{release2, "2026-06-01.2"}, {release3, "2026-06-01.3"}}

// flow is one series of a metric before any query groups it.
type flow struct {
	tags map[string]string
	// rate is how many a minute there are: of a count its increase, of a distribution
	// its values.
	rate func(time.Time) float64
	// each is by how much one occurrence raises a count; 0 is 1. Of a sampled verdict
	// it is 1/p.
	each float64
	// middle is the median of a distribution, or the value of a gauge; NaN where there
	// is none. spread is the standard deviation of the logarithm, most the largest value
	// that there can be, or 0.
	middle func(time.Time) float64
	spread float64
	most   float64
}

// cell is a share of the traffic that is alike.
type cell struct {
	feature, prompt, version, provider, model string

	share func(time.Time) float64
	bad   bool // the version that should not have been released
}

// world makes the series of the metrics.
type world struct {
	cells []cell
}

// requestsPerMinute is the traffic of the whole application at noon.
const requestsPerMinute = 150

func newWorld() world {
	var w world
	models := []struct {
		provider, model string
		share           float64
	}{{"anthropic", "claude-sonnet-5-5", 0.6}, {"openai", "gpt-6-luna", 0.4}}
	add := func(feature, prompt, version string, bad bool, share func(time.Time) float64) {
		for _, m := range models {
			part := m.share
			if feature == "help_search" {
				part = 1 - part
			}
			w.cells = append(w.cells, cell{feature, prompt, version, m.provider, m.model, func(t time.Time) float64 { return part * share(t) }, bad})
		}
	}
	always := func(share float64) func(time.Time) float64 { return func(time.Time) float64 { return share } }
	add("support_agent", "support_triage", "2026-05-11.2", false, func(t time.Time) float64 { return 0.6 * (1 - ramp(t, release1)) })
	add("support_agent", "support_triage", "2026-06-01.1", false, func(t time.Time) float64 { return 0.6 * (ramp(t, release1) - ramp(t, release2)) })
	add("support_agent", "support_triage", "2026-06-01.2", false, func(t time.Time) float64 { return 0.6 * (ramp(t, release2) - 0.6*ramp(t, release3)) })
	add("support_agent", "support_triage", "2026-06-01.3", true, func(t time.Time) float64 { return 0.6 * 0.6 * ramp(t, release3) })
	add("help_search", "kb_answer", "2026-05-18.4", false, always(0.28))
	add("ticket_summary", "ticket_summary", "2026-05-02.1", false, always(0.12))
	return w
}

// ramp is 0 before a moment and 1 from twenty minutes after it.
func ramp(t, from time.Time) float64 {
	return math.Max(0, math.Min(1, t.Sub(from).Minutes()/20))
}

// daily is the traffic of the hour, from a fifth at night to the whole at noon; two
// thirds of it on Saturdays and Sundays.
func daily(t time.Time) float64 {
	hour := float64(t.Hour()) + float64(t.Minute())/60
	v := 0.6 - 0.4*math.Cos(2*math.Pi*(hour-1.5)/24)
	if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
		v *= 0.66
	}
	return v
}

// during is 1 in the evening when a provider is slow, else 0, with soft edges.
func during(t time.Time) float64 {
	return math.Max(0, math.Min(1, math.Min(t.Sub(outage).Minutes(), outageEnd.Sub(t).Minutes()+10)/10))
}

func (c cell) requests(t time.Time) float64 {
	return requestsPerMinute * daily(t) * c.share(t)
}

// slow is how much the cell suffers from its provider.
func (c cell) slow(t time.Time) float64 {
	if c.provider != "openai" {
		return 0
	}
	return during(t)
}

func (c cell) tags(more ...string) map[string]string {
	tags := map[string]string{
		"env": "prod", "feature": c.feature, "prompt_name": c.prompt, "prompt_version": c.version,
		"provider": c.provider, "model": c.model,
	}
	for i := 0; i < len(more); i += 2 {
		tags[more[i]] = more[i+1]
	}
	return tags
}

// either returns a for the bad version and b for all others.
func (c cell) either(a, b float64) float64 {
	if c.bad {
		return a
	}
	return b
}

// tokens returns the tokens of a request's prompt and of its answer.
func (c cell) tokens() (sent, received float64) {
	switch c.feature {
	case "help_search":
		return 2600, 130
	case "ticket_summary":
		return 4100, 180
	}
	return c.either(2450, 1900), c.either(330, 220)
}

// cost is the price of a request in US dollars.
func (c cell) cost() float64 {
	sent, received := c.tokens()
	if c.provider == "openai" {
		return sent*0.1e-6 + received*0.5e-6
	}
	return sent*2e-6 + received*10e-6
}

// step returns how much of a window one point covers.
func step(span time.Duration) time.Duration { return span / 48 }

// at returns the value that an aggregator gives for one series and the interval that
// begins at t, and its weight when it is averaged with others. It is NaN where there
// is no point.
func (f flow) at(agg, metric string, t time.Time, interval time.Duration) (value, weight float64) {
	r := dice(metric, f.tags, t, interval)
	middle := t.Add(interval / 2)
	if f.rate == nil { // a gauge
		return f.middle(middle), 1
	}
	each := f.each
	if each == 0 {
		each = 1
	}
	n := each * occurrences(r, f.rate(middle)*interval.Minutes()/each)
	if n == 0 {
		return math.NaN(), 0
	}
	if f.middle == nil || agg == "count" {
		return n, n
	}
	median := f.middle(middle) * math.Exp(0.03*r.NormFloat64())
	v := median * math.Exp(f.spread*f.spread/2)
	if z, ok := quantiles[agg]; ok {
		v = median * math.Exp(f.spread*z)
	}
	if f.most > 0 {
		v = math.Min(v, f.most)
	}
	if agg == "sum" {
		v *= n
	}
	return v, n
}

// quantiles are the standard normal ones of the aggregators.
var quantiles = map[string]float64{"p50": 0, "p75": 0.674, "p90": 1.282, "p95": 1.645, "p99": 2.326, "max": 3.1, "min": -3.1}

// dice returns the chance of one point: the same for the same point.
func dice(metric string, tags map[string]string, t time.Time, interval time.Duration) *rand.Rand {
	h := fnv.New64a()
	for _, s := range []string{metric, key(tags, tagOrder), t.Format(time.RFC3339), interval.String()} {
		h.Write([]byte(s + "\x00"))
	}
	return rand.New(rand.NewPCG(h.Sum64(), 1)) //nolint:gosec // pictures, not secrets
}

// occurrences draws a number of events around its mean, as a Poisson process does.
func occurrences(r *rand.Rand, mean float64) float64 {
	if mean > 50 {
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	limit, n := math.Exp(-math.Max(mean, 0)), 0.0
	for p := r.Float64(); p > limit; p *= r.Float64() {
		n++
	}
	return n
}
