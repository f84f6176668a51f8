package telemetry

import (
	"cmp"
	"slices"
	"sync"

	"github.com/evalworker/evalworker/eval"
)

// Sinks whose losses this package counts. Other parts have their own.
const (
	SinkReports   = "reports"   // reports dropped by a full queue or after Close
	SinkTraces    = "traces"    // traces that the agent did not accept
	SinkDogStatsD = "dogstatsd" // metrics and payloads that the agent did not accept
	SinkLLMObs    = "llmobs"    // evaluations that LLM Observability did not get
	SinkValues    = "values"    // numbers that are not finite, or probabilities out of range
	// SinkPrometheus loses gauges of which there are too many.
	SinkPrometheus = "prometheus"
)

// Stats is the state of telemetry itself, for a status page. Counts are since the
// start.
type Stats struct {
	Enabled       bool                       `json:"enabled"`
	Queued        int                        `json:"queued"`
	QueueCapacity int                        `json:"queue_capacity"`
	Events        map[eval.Disposition]int64 `json:"events"`
	Drops         []Drop                     `json:"drops"`
	// TagOverflow counts the values that became "other", by tag key.
	TagOverflow map[string]int64 `json:"tag_overflow,omitempty"`
	// SeriesOverflow counts what was recorded with tags "other", because its metric has too
	// many series, by metric.
	SeriesOverflow map[string]int64 `json:"series_overflow,omitempty"`
	Prometheus     *PrometheusStats `json:"prometheus,omitempty"`
}

// PrometheusStats is what is kept for Prometheus.
type PrometheusStats struct {
	Series int `json:"series"` // a histogram is one
}

// Drop counts what one sink lost for one reason.
type Drop struct {
	Sink   string `json:"sink"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Dropped returns the number of losses of a sink, for all reasons.
func (s Stats) Dropped(sink string) int64 {
	var n int64
	for _, d := range s.Drops {
		if d.Sink == sink {
			n += d.Count
		}
	}
	return n
}

// drops counts losses. Counts are kept here and sent periodically, because the sink
// that loses data may be the one that would send the count.
type drops struct {
	mu  sync.Mutex
	all map[dropKey]*dropCount // guarded by mu
}

type dropKey struct{ sink, reason string }

type dropCount struct{ total, sent int64 }

// maxDropKeys bounds the counters; further keys share one.
const maxDropKeys = 256

func (d *drops) add(sink, reason string, n int64) {
	if n <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[dropKey]*dropCount{}
	}
	key := dropKey{sink, reason}
	c := d.all[key]
	if c == nil {
		if len(d.all) >= maxDropKeys {
			key = dropKey{overflowValue, overflowValue}
		}
		if c = d.all[key]; c == nil {
			c = &dropCount{}
			d.all[key] = c
		}
	}
	c.total += n
}

// unsent returns the losses since the last call.
func (d *drops) unsent() []Drop {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Drop
	for key, c := range d.all {
		if c.total > c.sent {
			out = append(out, Drop{key.sink, key.reason, c.total - c.sent})
			c.sent = c.total
		}
	}
	return out
}

func (d *drops) snapshot() []Drop {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Drop, 0, len(d.all))
	for key, c := range d.all {
		out = append(out, Drop{key.sink, key.reason, c.total})
	}
	slices.SortFunc(out, func(a, b Drop) int {
		return cmp.Or(cmp.Compare(a.Sink, b.Sink), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
