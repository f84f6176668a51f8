package telemetry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxOfOurs bounds the series of a gauge, and the values of a tag that are the program's own.
// Neither depends on what applications write: it is partitions that may be many.
const maxOfOurs = 5000

// maxOwnTags is the largest number of tags that a metric has besides the dimensions.
const maxOwnTags = 3

// ownValues are the values of a metric's own tags, in the order of the table.
type ownValues [maxOwnTags]*tagValue

// family is one metric with all its series, for both sinks.
//
// A family has at most so many series at a time. Three quarters are for series with all
// their tags. When they are taken, a further combination is recorded with fewer tags, which
// the last quarter is for, and when that is taken too, with those alone whose values are the
// program's own. So a sum over a metric is exact, whatever its tags are.
//
// A series is what its labels say. It is found by the numbers of their values, because that
// costs less; several numbers may lead to one series, after a value has lost its place and
// got one again.
type family struct {
	meter  *meter
	metric string // as the table names it
	name   string // in Prometheus
	help   string
	kind   MetricType
	labels []string // names, in the order of the table
	order  []int    // of the labels by name
	dims   bool     // it has the dimensions
	byName bool     // its own tag is a part of its name in DogStatsD
	open   bool     // it has a tag whose values are not the program's own
	own    []*tagSet
	bounds []float64 // of a histogram; nil when nobody asks for metrics
	most   int

	overflow overflow

	mu       sync.Mutex
	series   map[seriesKey]*series // guarded by mu
	byLabels map[string]*series    // guarded by mu
	sorted   []*series             // guarded by mu; in the order of their first value
	sizes    [numDetails]int       // guarded by mu; series by their detail
	searched int64                 // guarded by mu; second of the last search for idle series
	folded   map[seriesKey]*series // guarded by mu; what has fewer tags in this second
	foldedAt int64                 // guarded by mu; that second
}

// detail says which tags of a series have their values.
type detail int

const (
	detailAll    detail = iota
	detailVital         // see isVital; the others are other
	detailClosed        // see isClosed; if there are any in an open family
	numDetails
)

// seriesKey identifies a series within its family, by numbers: of the combination of
// dimensions, and of the values of the metric's own labels; 0 stands for none.
type seriesKey struct {
	dims uint32
	own  [maxOwnTags]uint32
}

// series is one combination of labels.
type series struct {
	// The latest values and their numbers that led to it.
	key     seriesKey
	dims    *dimTags
	own     ownValues
	detail  detail
	name    string   // of the metric in DogStatsD
	tags    []string // in DogStatsD, in the order of the table
	labels  string   // as they are on the page, without the braces
	used    int64    // second of the last value
	value   float64  // of a counter or gauge; the sum of a histogram
	buckets []uint64 // of a histogram; the last one is for values above all bounds
	gone    bool
}

func newFamily(m *meter, metric *Metric, own []*tagSet, most int) *family {
	f := &family{
		meter: m, metric: metric.Name, name: prometheusName(metric), help: metric.Help, kind: metric.Type, labels: metric.Tags,
		dims: metric.hasDims(), byName: metric.Name == ScoreMetric, own: own, most: most,
		series: map[seriesKey]*series{}, byLabels: map[string]*series{}, folded: map[seriesKey]*series{},
	}
	if f.byName {
		f.labels = dimsAnd(tagEval)
	}
	f.open = f.dims || slices.ContainsFunc(own, func(g *tagSet) bool { return !g.closed })
	for i := range f.labels {
		f.order = append(f.order, i)
	}
	slices.SortFunc(f.order, func(a, b int) int { return cmp.Compare(f.labels[a], f.labels[b]) })
	return f
}

// add adds to a counter. It returns the name and the tags for DogStatsD.
func (f *family) add(dims *dimTags, own *ownValues, v float64) (string, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(dims, own)
	s.value += v
	return s.name, s.tags
}

// set sets a gauge. It reports false when there are too many.
func (f *family) set(own *ownValues, v float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.series[keyOf(nil, own)] == nil && len(f.sorted) >= f.most {
		return false
	}
	f.at(nil, own).value = v
	return true
}

// observe adds a value to a histogram. It returns the name and the tags for DogStatsD.
func (f *family) observe(dims *dimTags, own *ownValues, v float64) (string, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(dims, own)
	if s.buckets != nil {
		i := 0
		for i < len(f.bounds) && v > f.bounds[i] {
			i++
		}
		s.buckets[i]++
		s.value += v
	}
	return s.name, s.tags
}

// ownOf returns the values of the metric's own tags.
func (f *family) ownOf(values []string) (own ownValues) {
	for i, set := range f.own {
		own[i] = set.none
		if i < len(values) {
			own[i] = set.tag(values[i])
		}
	}
	return own
}

func keyOf(dims *dimTags, own *ownValues) (key seriesKey) {
	if dims != nil {
		key.dims = dims.n
	}
	for i, v := range own {
		if v == nil {
			break
		}
		key.own[i] = v.n
	}
	return key
}

// at returns the series of a combination, and notes its use. The caller holds mu.
func (f *family) at(dims *dimTags, own *ownValues) *series {
	now := f.meter.clock.now()
	key := keyOf(dims, own)
	s := f.series[key]
	if s != nil && s.used == now {
		return s
	}
	for i := range f.own {
		own[i].touch(now)
	}
	if s == nil {
		s = f.find(key, dims, *own, now)
	}
	s.used = now
	return s
}

// find returns the series of a combination that is not known by its numbers. The caller
// holds mu.
func (f *family) find(key seriesKey, dims *dimTags, own ownValues, now int64) *series {
	if f.foldedAt != now {
		clear(f.folded)
		f.foldedAt = now
	}
	s := f.folded[key]
	if s == nil {
		s = f.search(dims, own, now)
		if s.detail == detailAll {
			return s
		}
		if len(f.folded) < f.most {
			f.folded[key] = s
		}
	}
	f.overflow.total.Add(1)
	return s
}

// search returns the series of a combination, or makes it, with all tags if there is room. The
// caller holds mu.
func (f *family) search(dims *dimTags, own ownValues, now int64) *series {
	for d := detailAll; ; d++ {
		dims, own := f.reduced(d, dims, own)
		key := keyOf(dims, &own)
		if s := f.series[key]; s != nil {
			return s
		}
		labels := f.labelsOf(dims, own)
		s := f.byLabels[labels]
		if s == nil {
			if d < detailClosed && !f.hasRoom(d, now) {
				continue
			}
			s = f.create(d, labels, dims, own)
		}
		if len(f.series) >= 4*f.most {
			f.forgetKeys()
		}
		s.key, s.dims, s.own = key, dims, own
		f.series[key] = s
		return s
	}
}

// reduced returns the values that a series of some detail has.
func (f *family) reduced(d detail, dims *dimTags, own ownValues) (*dimTags, ownValues) {
	if d == detailAll {
		return dims, own
	}
	if dims != nil {
		dims = f.meter.reduced(d, dims)
	}
	for i, set := range f.own {
		if keep := set.closed && f.open || d == detailVital && isVital(set.key); !keep {
			own[i] = set.other
		}
	}
	return dims, own
}

// hasRoom reports whether there may be one more series of some detail, if need be in the
// place of an idle one. The caller holds mu.
func (f *family) hasRoom(d detail, now int64) bool {
	most := f.most / 4
	switch {
	case !f.open:
		return d == detailAll && len(f.sorted) < f.most
	case d == detailAll:
		most = f.most - most
	}
	if f.sizes[d] >= most && f.searched != now {
		f.searched = now
		idle := func(s *series) bool { return now-s.used >= idleAfter }
		if f.remove(func(s *series) bool { return idle(s) && s.outdated() }); f.sizes[d] >= most {
			f.remove(idle)
		}
	}
	return f.sizes[d] < most
}

func (f *family) create(d detail, labels string, dims *dimTags, own ownValues) *series {
	s := &series{detail: d, name: f.metric, labels: labels}
	if f.bounds != nil {
		s.buckets = make([]uint64, len(f.bounds)+1)
	}
	s.name, s.tags = f.tagsOf(dims, &own)
	f.sizes[d]++
	f.byLabels[labels] = s
	f.sorted = append(f.sorted, s)
	return s
}

// remove removes series. The caller holds mu.
func (f *family) remove(which func(*series) bool) {
	before := len(f.sorted)
	f.sorted = slices.DeleteFunc(f.sorted, func(s *series) bool {
		if s.gone = which(s); s.gone {
			delete(f.byLabels, s.labels)
			f.sizes[s.detail]--
		}
		return s.gone
	})
	if len(f.sorted) < before {
		maps.DeleteFunc(f.series, func(_ seriesKey, s *series) bool { return s.gone })
	}
}

// outdated reports whether a value of the series has lost its place.
func (s *series) outdated() bool {
	if s.dims != nil {
		for _, v := range s.dims.values {
			if v != nil && v.gone.Load() {
				return true
			}
		}
	}
	return slices.ContainsFunc(s.own[:], func(v *tagValue) bool { return v != nil && v.gone.Load() })
}

// age removes series of values that have lost their places. The others stay: Prometheus does
// not see the first increase of a counter that comes back, and some, such as errors, are rare.
func (f *family) age(now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.remove(func(s *series) bool { return now-s.used >= idleAfter && s.outdated() })
	}
	f.forgetKeys()
}

// forgetKeys forgets all numbers that lead to a series but the latest. The caller holds mu.
func (f *family) forgetKeys() {
	maps.DeleteFunc(f.series, func(k seriesKey, s *series) bool { return s.key != k })
}

// retain removes the series that keep does not want.
func (f *family) retain(keep func(seriesKey) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(func(s *series) bool { return !keep(s.key) })
}

func (f *family) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sorted)
}

// tagsOf returns the metric's name and tags in DogStatsD, which identifies a series by its
// tags in order.
func (f *family) tagsOf(dims *dimTags, own *ownValues) (name string, tags []string) {
	name = f.metric
	if dims != nil {
		tags = dims.tags
	} else if f.meter.ownEnv != "" {
		tags = []string{f.meter.ownEnv}
	}
	if f.byName {
		if own[0].n == otherNumber {
			return scorePrefix + overflowValue, tags
		}
		return scorePrefix + sanitizeName(own[0].text), tags
	}
	tags = slices.Clip(tags)
	for i := range f.own {
		if own[i].n > 0 {
			tags = append(tags, own[i].tag)
		}
	}
	return name, tags
}

// labelsOf returns the labels in Prometheus, in the order of their names.
func (f *family) labelsOf(dims *dimTags, own ownValues) string {
	values := make([]string, 0, len(f.labels))
	if dims != nil {
		for i := range dims.values {
			if v := dims.values[i]; v != nil {
				values = append(values, v.text)
			}
		}
	}
	for i := range f.own {
		values = append(values, own[i].text)
	}
	var b strings.Builder
	for i, at := range f.order {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.labels[at] + `="` + labelEscapes.Replace(values[at]) + `"`)
	}
	return b.String()
}
