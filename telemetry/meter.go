package telemetry

import (
	"cmp"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/evalworker/evalworker/event"
)

// statsdClient is the part of the DogStatsD client that the meter uses.
type statsdClient interface {
	Count(name string, value int64, tags []string, rate float64) error
	Gauge(name string, value float64, tags []string, rate float64) error
	Distribution(name string, value float64, tags []string, rate float64) error
	Close() error
}

// meter sends the metrics of the table and no others. Its methods take the values
// of a metric's own tags in the order of the table. They are safe for concurrent
// use and do not block: the client aggregates and sends in the background.
type meter struct {
	out   statsdClient
	env   string // for events without an environment
	drops *drops
	// envTag says that the client adds env by itself, so the dimension is left out:
	// a metric must not carry two.
	envTag  bool
	tagSets map[string]*tagSet // by tag key; immutable
	names   *tagSet            // score metrics, by evaluator

	buffers sync.Pool // of *[tagRoom]string

	mu   sync.RWMutex
	dims map[dims][]string // guarded by mu; tags, by the original values
}

// dims are an event's values of the dimensions that metrics carry, in the order
// of the table.
type dims [len(dimensions)]string

// hasLongValue reports whether a value is too long for a dimension, such as a prompt
// in the wrong field. Caching it would cost memory and keep content.
func (d *dims) hasLongValue() bool {
	return slices.ContainsFunc(d[:], func(value string) bool { return len(value) > maxValueLength })
}

// maxDims bounds the cached combinations of dimensions. When it is reached the
// cache is emptied, which only costs time.
const maxDims = 4096

func newMeter(out statsdClient, t target, maxValues int, d *drops, log *slog.Logger) *meter {
	m := &meter{out: out, env: t.env, envTag: t.envTag, drops: d, tagSets: map[string]*tagSet{}, dims: map[dims][]string{}}
	overflow := func(key string) {
		log.Warn("metric tag has too many values: more become other", slog.String("tag", key), slog.Int("max", maxValues))
	}
	for _, metric := range Metrics() {
		for _, key := range metric.Tags {
			if m.tagSets[key] == nil {
				m.tagSets[key] = newTagSet(key, maxValues, sanitizeValue, overflow)
			}
		}
	}
	m.names = newTagSet("metric", maxValues, sanitizeName, overflow)
	return m
}

// dimsOf returns the tags of an event's dimensions. The caller must not change
// them.
func (m *meter) dimsOf(e *event.Event) []string {
	var key dims
	for i, d := range dimensions {
		if d.metric != "" {
			key[i] = e.Dim(d.name)
		}
	}
	m.mu.RLock()
	tags, ok := m.dims[key]
	m.mu.RUnlock()
	if ok {
		return tags
	}
	tags = make([]string, 0, len(dimKeys))
	for i, value := range key {
		tag := dimensions[i].metric
		if tag == "" {
			continue
		}
		if tag == "env" {
			if m.envTag {
				continue
			}
			value = cmp.Or(value, m.env)
		}
		if tag := m.tagSets[tag].tag(value); tag != "" {
			tags = append(tags, tag)
		}
	}
	tags = slices.Clip(tags)
	if key.hasLongValue() {
		return tags
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.dims) >= maxDims {
		clear(m.dims)
	}
	m.dims[key] = tags
	return tags
}

func (m *meter) count(id countID, n int64, dims []string, values ...string) {
	if n <= 0 {
		return
	}
	buf := m.buffer()
	defer m.buffers.Put(buf)
	// Only a closed or missing client returns errors.
	_ = m.out.Count(counts[id].Name, n, m.tags(buf[:0], &counts[id], dims, values), 1)
}

func (m *meter) gauge(id gaugeID, v float64, values ...string) {
	if !m.finite(v) {
		return
	}
	buf := m.buffer()
	defer m.buffers.Put(buf)
	_ = m.out.Gauge(gauges[id].Name, v, m.tags(buf[:0], &gauges[id], nil, values), 1)
}

func (m *meter) distribution(id distributionID, v float64, dims []string, values ...string) {
	if !m.finite(v) {
		return
	}
	buf := m.buffer()
	defer m.buffers.Put(buf)
	_ = m.out.Distribution(distributions[id].Name, v, m.tags(buf[:0], &distributions[id], dims, values), 1)
}

// score sends a score in the metric of its evaluator.
func (m *meter) score(evaluator string, v float64, dims []string) {
	if evaluator == "" || !m.finite(v) {
		return
	}
	_ = m.out.Distribution(scorePrefix+m.names.value(evaluator), v, dims, 1)
}

// tagRoom is the length of the longest list of tags.
const tagRoom = len(dimensions) + 4

// buffer returns space for a list of tags. It can be reused after sending: the client
// aggregates every type that is sent here, and copies the tags that it keeps.
func (m *meter) buffer() *[tagRoom]string {
	if buf, ok := m.buffers.Get().(*[tagRoom]string); ok {
		return buf
	}
	return new([tagRoom]string)
}

// tags appends the dimensions and the metric's own tags, in the order of the table:
// DogStatsD identifies a time series by its tags in order.
func (m *meter) tags(buf []string, metric *Metric, dims, values []string) []string {
	keys := metric.Tags
	if dims != nil {
		buf = append(buf, dims...)
		keys = keys[len(dimKeys):]
	}
	for i, key := range keys[:min(len(keys), len(values))] {
		if tag := m.tagSets[key].tag(values[i]); tag != "" {
			buf = append(buf, tag)
		}
	}
	return buf
}

// finite reports whether v is a finite number, and counts it as dropped if not,
// because the agent would accept it.
func (m *meter) finite(v float64) bool {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		m.drops.add(SinkValues, "not_finite", 1)
		return false
	}
	return true
}

// overflows returns the number of values that became "other", by tag key.
func (m *meter) overflows() map[string]int64 {
	out := map[string]int64{}
	for key, g := range m.tagSets {
		if n := g.overflows.Load(); n > 0 {
			out[key] = n
		}
	}
	if n := m.names.overflows.Load(); n > 0 {
		out[m.names.key] = n
	}
	return out
}
