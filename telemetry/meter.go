package telemetry

import (
	"iter"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/evalworker/evalworker/eval"
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
	log    *slog.Logger
	clock  *clock
	// ownEnv is the tag of metrics of the worker itself, which no event gives one; empty
	// when the client adds it, or none is known.
	ownEnv     string
	tagSets    map[string]*tagSet // by tag key; immutable
	sortedSets []*tagSet          // by key

	counts        [numCounts]*family
	gauges        [numGauges]*family
	distributions [numDistributions]*family

	aged  int64    // second of the last age; of tick alone
	other *dimTags // all dimensions are other

	mu           sync.RWMutex
	dims         map[dims]*resolvedDims               // guarded by mu; by the original values
	combinations map[[len(dimensions)]uint32]*dimTags // guarded by mu; by the numbers of the values
	last         uint32                               // guarded by mu; number of the last combination
}

// limits bound what one metric costs.
type limits struct {
	values int // of one tag
	series int // of one metric, other than a gauge
}

// dims are an event's values of the dimensions that metrics carry, in the order
// of the table.
type dims [len(dimensions)]string

// hasLongValue reports whether a value is too long for a dimension, such as a prompt
// in the wrong field. Caching it would cost memory and keep content.
func (d *dims) hasLongValue() bool {
	return slices.ContainsFunc(d[:], func(value string) bool { return len(value) > maxValueLength })
}

// resolvedDims are what the original values of an event's dimensions lead to.
type resolvedDims struct {
	tags *dimTags
	// without has the keys whose value became other for lack of a place.
	without []*tagSet
	// checked is the second in which it was last found that tags are right.
	checked atomic.Int64
}

// dimTags are a combination of values of the dimensions. They are immutable, but for notes.
type dimTags struct {
	n       uint32                     // number of the combination, given once
	values  [len(dimensions)]*tagValue // nil for a dimension that metrics do not carry
	tags    []string                   // those that are known, in the order of the table
	version promptVersion
	used    atomic.Int64            // second of the last use
	vital   atomic.Pointer[dimTags] // with detailVital, once it was asked for
	noticed int64                   // of releases alone
}

// maxDims bounds the cached combinations of dimensions. When it is reached the
// cache is emptied, which only costs time.
const maxDims = 4096

func newMeter(t target, most limits, d *drops, log *slog.Logger) *meter {
	m := &meter{
		env: t.env, envTag: t.envTag, drops: d, log: log, clock: newClock(), tagSets: map[string]*tagSet{},
		dims: map[dims]*resolvedDims{}, combinations: map[[len(dimensions)]uint32]*dimTags{},
	}
	if t.env != "" && !t.envTag {
		m.ownEnv = "env:" + sanitizeValue(t.env)
	}
	family := func(metric *Metric, series int) *family {
		var own []*tagSet
		for i, key := range metric.Tags {
			if m.tagSets[key] == nil {
				limit := most.values
				if isClosed(key) {
					limit = max(limit, maxOfOurs)
				}
				m.tagSets[key] = newTagSet(key, limit, sanitizeValue, m.clock)
			}
			if !metric.hasDims() || i >= len(dimKeys) {
				own = append(own, m.tagSets[key])
			}
		}
		if metric.Name == ScoreMetric {
			own = append(own, m.tagSets[tagEval])
		}
		return newFamily(m, metric, own, series)
	}
	for i := range counts { // first, because they have all keys
		m.counts[i] = family(&counts[i], most.series)
	}
	for i := range gauges {
		m.gauges[i] = family(&gauges[i], maxOfOurs)
	}
	for i := range distributions {
		m.distributions[i] = family(&distributions[i], most.series)
	}
	for _, key := range slices.Sorted(maps.Keys(m.tagSets)) {
		m.sortedSets = append(m.sortedSets, m.tagSets[key])
	}
	m.other = m.reduced(detailClosed, nil)
	return m
}

// families yields all metrics, in the order of the page for Prometheus.
func (m *meter) families() iter.Seq[*family] {
	return func(yield func(*family) bool) {
		for _, all := range [][]*family{m.distributions[:], m.counts[:], m.gauges[:]} {
			for _, f := range all {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// dimsOf returns the tags of an event's dimensions.
func (m *meter) dimsOf(e *event.Event) *dimTags {
	var key dims
	for i, d := range dimensions {
		if d.metric != "" {
			key[i] = e.Dim(d.name)
		}
	}
	now := m.clock.now()
	m.mu.RLock()
	known := m.dims[key]
	m.mu.RUnlock()
	if known != nil && known.current(now) {
		for _, set := range known.without {
			set.overflow.total.Add(1)
		}
		return known.tags
	}
	made := m.resolve(&key)
	made.tags.used.Store(now)
	made.checked.Store(now)
	if key.hasLongValue() {
		return made.tags
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.dims) >= maxDims {
		clear(m.dims)
	}
	m.dims[key] = made
	return made.tags
}

// current reports whether the tags are still right, and notes their use. It looks once a
// second.
func (t *resolvedDims) current(now int64) bool {
	if t.checked.Load() == now {
		return true
	}
	if len(t.without) > 0 { // there may be a place by now
		return false
	}
	for _, v := range t.tags.values {
		if v == nil {
			continue
		}
		if v.gone.Load() {
			return false
		}
		v.touch(now)
	}
	t.tags.used.Store(now)
	t.checked.Store(now)
	return true
}

func (m *meter) resolve(key *dims) *resolvedDims {
	var out resolvedDims
	var values [len(dimensions)]*tagValue
	now := m.clock.now()
	for i, value := range key {
		name := dimensions[i].metric
		if name == "" {
			continue
		}
		if name == tagEnv && (m.envTag || value == "") {
			value = m.env
		}
		set := m.tagSets[name]
		values[i] = set.tag(value)
		values[i].touch(now)
		if values[i] == set.placeless {
			out.without = append(out.without, set)
		}
	}
	out.tags = m.combination(values)
	return &out
}

// combination returns the combination of some values.
func (m *meter) combination(values [len(dimensions)]*tagValue) *dimTags {
	var key [len(dimensions)]uint32
	for i, v := range values {
		if v != nil {
			key[i] = v.n
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.combinations[key]; c != nil {
		return c
	}
	if len(m.combinations) >= maxDims {
		clear(m.combinations)
	}
	m.last++
	c := &dimTags{n: m.last, values: values}
	for i, v := range values {
		if v == nil {
			continue
		}
		name := dimensions[i].metric
		c.version.set(name, v)
		if v.n > 0 && (name != tagEnv || !m.envTag) {
			c.tags = append(c.tags, v.tag)
		}
	}
	c.tags = slices.Clip(c.tags)
	c.used.Store(m.clock.now())
	m.combinations[key] = c
	return c
}

// reduced returns a combination with fewer values.
func (m *meter) reduced(d detail, c *dimTags) *dimTags {
	if d == detailClosed && c != nil {
		return m.other
	}
	if c != nil {
		if v := c.vital.Load(); v != nil {
			return v
		}
	}
	var values [len(dimensions)]*tagValue
	for i, dim := range dimensions {
		switch {
		case dim.metric == "":
		case d == detailVital && isVital(dim.metric):
			values[i] = c.values[i]
		default:
			values[i] = m.tagSets[dim.metric].other
		}
	}
	out := m.combination(values)
	if c != nil {
		c.vital.Store(out)
	}
	return out
}

// forgetDims forgets combinations that were not used for some time.
func (m *meter) forgetDims(now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.dims, func(_ dims, t *resolvedDims) bool { return now-t.checked.Load() >= ageEvery })
	maps.DeleteFunc(m.combinations, func(_ [len(dimensions)]uint32, c *dimTags) bool { return now-c.used.Load() >= ageEvery })
}

func (m *meter) count(id countID, n int64, dims *dimTags, values ...string) {
	if n > 0 {
		own := m.counts[id].ownOf(values)
		m.add(id, n, dims, &own)
	}
}

// add adds to a count whose own tags have been looked up.
func (m *meter) add(id countID, n int64, dims *dimTags, own *ownValues) {
	if n <= 0 {
		return
	}
	name, tags := m.counts[id].add(dims, own, float64(n))
	if m.statsd != nil {
		_ = m.statsd.Count(name, n, tags, 1) // only a closed client returns errors
	}
}

// begin shows a count at 0 on the page for Prometheus, so that its first increase is one.
func (m *meter) begin(id countID, values ...string) {
	f := m.counts[id]
	own := f.ownOf(values)
	f.add(nil, &own, 0)
}

func (m *meter) gauge(id gaugeID, v float64, values ...string) {
	if !m.finite(v) {
		return
	}
	f := m.gauges[id]
	own := f.ownOf(values)
	if !f.set(&own, v) && m.prometheus != nil {
		m.drops.add(SinkPrometheus, "too_many_series", 1)
	}
	if m.statsd != nil {
		name, tags := f.tagsOf(nil, &own)
		_ = m.statsd.Gauge(name, v, tags, 1)
	}
}

// unset forgets a gauge. DogStatsD's client forgets each when it has sent it.
func (m *meter) unset(id gaugeID, values ...string) {
	f := m.gauges[id]
	own := f.ownOf(values)
	key := keyOf(nil, &own)
	f.retain(func(k seriesKey) bool { return k != key })
}

// partitions forgets the gauges of all partitions but these.
func (m *meter) partitions(held []int) {
	numbers := map[uint32]bool{}
	for _, id := range held {
		numbers[m.tagSets[tagPartition].tag(strconv.Itoa(id)).n] = true
	}
	for i := range m.gauges {
		if slices.Equal(gauges[i].Tags, []string{tagPartition}) {
			m.gauges[i].retain(func(k seriesKey) bool { return numbers[k.own[0]] })
		}
	}
}

func (m *meter) distribution(id distributionID, v float64, dims *dimTags, values ...string) {
	own := m.distributions[id].ownOf(values)
	m.observe(id, v, dims, &own)
}

// observe records a value of a distribution whose own tags have been looked up.
func (m *meter) observe(id distributionID, v float64, dims *dimTags, own *ownValues) {
	if !m.finite(v) {
		return
	}
	name, tags := m.distributions[id].observe(dims, own, v)
	if m.statsd != nil {
		_ = m.statsd.Distribution(name, v, tags, 1)
	}
}

// verdict records one verdict, with its weight, and with its score if it is decided: for
// DogStatsD in the metric of its evaluator, for Prometheus in one with a label for it. It
// looks the evaluator up once.
func (m *meter) verdict(v *eval.Verdict, w int64, dims *dimTags) {
	own := m.counts[countEvaluations].ownOf([]string{v.Eval, v.Outcome.String()})
	m.add(countEvaluations, 1, dims, &own)
	m.add(countWeighted, w, dims, &own)
	if v.Outcome.Decided() && v.Eval != "" {
		m.observe(distributionScore, v.Score, dims, &ownValues{own[0]})
	}
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
