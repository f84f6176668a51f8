package telemetry

import (
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/evalworker/evalworker/event"
)

// statsdClient is the part of the DogStatsD client that is used.
type statsdClient interface {
	Count(name string, value int64, tags []string, rate float64) error
	Gauge(name string, value float64, tags []string, rate float64) error
	Distribution(name string, value float64, tags []string, rate float64) error
	Event(e *statsd.Event) error
	Close() error
}

// meter records the metrics of the table and no others, for DogStatsD, for Prometheus,
// or for both. Its methods take the values of a metric's own tags in the order of the
// table. They are safe for concurrent use and do not block: DogStatsD's client aggregates
// and sends in the background, and a page for Prometheus is made when it is asked for.
type meter struct {
	statsd     statsdClient // nil without Datadog
	prometheus *exposition  // nil when nobody asks for metrics
	env        string       // for events without an environment
	drops      *drops
	// envTag says that DD_ENV is the env of all metrics, and that the client adds it by
	// itself: a metric must not carry two.
	envTag bool
	// ownEnv is the tag of metrics of the worker itself, which no event gives one; empty
	// when the client adds it, or none is known.
	ownEnv  string
	tagSets map[string]*tagSet // by tag key; immutable
	names   *tagSet            // names of the score metrics of DogStatsD, by evaluator

	counts        [numCounts]instrument
	gauges        [numGauges]instrument
	distributions [numDistributions]instrument

	buffers sync.Pool // of *tagBuffer

	mu   sync.RWMutex
	dims map[dims]*dimTags // guarded by mu; by the original values
}

// instrument is a metric of the table and what recording it needs.
type instrument struct {
	name   string
	own    []*tagSet // of the tags that are no dimensions
	family *family   // nil when nobody asks for metrics
}

// dims are an event's values of the dimensions that metrics carry, in the order
// of the table.
type dims [len(dimensions)]string

// hasLongValue reports whether a value is too long for a dimension, such as a prompt
// in the wrong field. Caching it would cost memory and keep content.
func (d *dims) hasLongValue() bool {
	return slices.ContainsFunc(d[:], func(value string) bool { return len(value) > maxValueLength })
}

// dimTags are the tags of an event's dimensions. They are immutable.
type dimTags struct {
	tags        []string // those that are known, in the order of the table
	combination int32    // their number in the exposition
	version     promptVersion
}

// maxDims bounds the cached combinations of dimensions. When it is reached the
// cache is emptied, which only costs time.
const maxDims = 4096

func newMeter(t target, maxValues int, d *drops, log *slog.Logger) *meter {
	m := &meter{env: t.env, envTag: t.envTag, drops: d, tagSets: map[string]*tagSet{}, dims: map[dims]*dimTags{}}
	if t.env != "" && !t.envTag {
		m.ownEnv = "env:" + sanitizeValue(t.env)
	}
	overflow := func(key string) {
		log.Warn("metric tag has too many values: more become other", slog.String("tag", key), slog.Int("max", maxValues))
	}
	instrument := func(metric *Metric) (in instrument) {
		for i, key := range metric.Tags {
			if m.tagSets[key] == nil {
				m.tagSets[key] = newTagSet(key, maxValues, sanitizeValue, overflow)
			}
			if !metric.hasDims() || i >= len(dimKeys) {
				in.own = append(in.own, m.tagSets[key])
			}
		}
		in.name = metric.Name
		return in
	}
	for i := range counts {
		m.counts[i] = instrument(&counts[i])
	}
	for i := range gauges {
		m.gauges[i] = instrument(&gauges[i])
	}
	for i := range distributions {
		m.distributions[i] = instrument(&distributions[i])
	}
	m.names = newTagSet("metric", maxValues, func(name string) string { return scorePrefix + sanitizeName(name) }, overflow)
	return m
}

// dimsOf returns the tags of an event's dimensions.
func (m *meter) dimsOf(e *event.Event) *dimTags {
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
	tags = m.newTags(&key)
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

func (m *meter) newTags(key *dims) *dimTags {
	out := &dimTags{tags: make([]string, 0, len(dimKeys))}
	var labels []string
	for i, value := range key {
		name := dimensions[i].metric
		if name == "" {
			continue
		}
		if name == "env" && (m.envTag || value == "") {
			value = m.env
		}
		set := m.tagSets[name]
		tag := set.tag(value)
		labels = append(labels, set.numbered(tag.n))
		out.version.set(name, tag.n)
		if tag.n > 0 && (name != "env" || !m.envTag) {
			out.tags = append(out.tags, tag.tag)
		}
	}
	out.tags = slices.Clip(out.tags)
	if m.prometheus != nil {
		out.combination = m.prometheus.combination(labels)
	}
	return out
}

func (m *meter) count(id countID, n int64, dims *dimTags, values ...string) {
	if n <= 0 {
		return
	}
	in := &m.counts[id]
	buf, tags, key := m.tags(in, dims, values)
	defer m.buffers.Put(buf)
	if m.statsd != nil {
		_ = m.statsd.Count(in.name, n, tags, 1) // only a closed client returns errors
	}
	if in.family != nil {
		in.family.add(key, float64(n))
	}
}

// begin shows a count at 0 on the page for Prometheus, so that its first increase is one.
func (m *meter) begin(id countID, values ...string) {
	if in := &m.counts[id]; in.family != nil {
		buf, _, key := m.tags(in, nil, values)
		defer m.buffers.Put(buf)
		in.family.add(key, 0)
	}
}

func (m *meter) gauge(id gaugeID, v float64, values ...string) {
	if !m.finite(v) {
		return
	}
	in := &m.gauges[id]
	buf, tags, key := m.tags(in, nil, values)
	defer m.buffers.Put(buf)
	if m.statsd != nil {
		_ = m.statsd.Gauge(in.name, v, tags, 1)
	}
	if in.family != nil && !in.family.set(key, v) {
		m.drops.add(SinkPrometheus, "too_many_series", 1)
	}
}

// unset forgets a gauge. DogStatsD's client forgets each when it has sent it.
func (m *meter) unset(id gaugeID, values ...string) {
	in := &m.gauges[id]
	if in.family == nil {
		return
	}
	buf, _, key := m.tags(in, nil, values)
	defer m.buffers.Put(buf)
	in.family.retain(func(k seriesKey) bool { return k != key })
}

// partitions forgets the gauges of all partitions but these.
func (m *meter) partitions(held []int) {
	if m.prometheus == nil {
		return
	}
	numbers := map[int32]bool{}
	for _, id := range held {
		numbers[m.tagSets[tagPartition].tag(strconv.Itoa(id)).n] = true
	}
	for i := range m.gauges {
		if slices.Equal(gauges[i].Tags, []string{tagPartition}) {
			m.gauges[i].family.retain(func(k seriesKey) bool { return numbers[k.own[0]] })
		}
	}
}

func (m *meter) distribution(id distributionID, v float64, dims *dimTags, values ...string) {
	if !m.finite(v) {
		return
	}
	in := &m.distributions[id]
	buf, tags, key := m.tags(in, dims, values)
	defer m.buffers.Put(buf)
	if m.statsd != nil {
		_ = m.statsd.Distribution(in.name, v, tags, 1)
	}
	if in.family != nil {
		in.family.observe(key, v)
	}
}

// score records a score: for DogStatsD in the metric of its evaluator, for Prometheus in
// one with a label for it.
func (m *meter) score(evaluator string, v float64, dims *dimTags) {
	if evaluator == "" || !m.finite(v) {
		return
	}
	if m.statsd != nil {
		name := scorePrefix + overflowValue
		if tag := m.names.tag(evaluator); tag.n != otherNumber {
			name = m.names.numbered(tag.n)
		}
		_ = m.statsd.Distribution(name, v, dims.tags, 1)
	}
	if f := m.distributions[distributionScore].family; f != nil {
		f.observe(seriesKey{dims: dims.combination, own: [maxOwnTags]int32{m.tagSets[tagEval].tag(evaluator).n}}, v)
	}
}

// maxOwnTags is the largest number of tags that a metric has besides the dimensions.
const maxOwnTags = 3

// tagBuffer has room for the longest list of tags.
type tagBuffer [len(dimensions) + maxOwnTags]string

// tags returns the dimensions and the metric's own tags, in the order of the table:
// DogStatsD identifies a time series by its tags in order. They are in a buffer that can be
// reused after sending, because the client aggregates every type that is sent here, and
// copies the tags that it keeps. The key is that of the series for Prometheus.
func (m *meter) tags(in *instrument, dims *dimTags, values []string) (*tagBuffer, []string, seriesKey) {
	buf, _ := m.buffers.Get().(*tagBuffer)
	if buf == nil {
		buf = new(tagBuffer)
	}
	tags, key := buf[:0], seriesKey{}
	if dims != nil {
		tags, key.dims = append(tags, dims.tags...), dims.combination
	} else if m.ownEnv != "" {
		tags = append(tags, m.ownEnv)
	}
	for i, set := range in.own[:min(len(in.own), len(values))] {
		if tag := set.tag(values[i]); tag.n > 0 {
			tags, key.own[i] = append(tags, tag.tag), tag.n
		}
	}
	return buf, tags, key
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
