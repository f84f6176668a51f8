package telemetry

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Bounds of what is kept for Prometheus, so that a page and the memory behind it stay
// bounded whatever applications write: see BenchmarkFullTable.
const (
	maxSeries     = 5000 // of one count or gauge
	maxHistograms = 2000 // of one distribution; each has a dozen buckets
	// maxScrapes bounds the pages that are made at once.
	maxScrapes = 3
)

// exposition keeps the metrics of the table for Prometheus, which asks for all of them
// at a time. It is safe for concurrent use.
//
// It is no collector of Prometheus' library, because that makes each series anew for each
// page, and looks each up by the text of its labels to record a value. Here a series is
// found by the numbers of its labels.
type exposition struct {
	families []*family // in the order of their names
	target   *dto.MetricFamily
	process  prometheus.Gatherer // of Go's runtime and the process
	handler  http.Handler
	folded   atomic.Int64 // values that were recorded for the labels other

	mu           sync.RWMutex
	numbers      map[string]int32 // guarded by mu; of the combinations of dimensions
	combinations [][]string       // guarded by mu; by their numbers; the first two are none and other
}

// newExposition makes the meter record for Prometheus too.
func newExposition(m *meter, t target, log *slog.Logger) *exposition {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	x := &exposition{process: registry, target: targetInfo(t), numbers: map[string]int32{}, combinations: [][]string{nil}}
	other := slices.Repeat([]string{overflowValue}, len(dimKeys))
	x.combination(other)
	m.prometheus = x
	add := func(in *instrument, metric *Metric, kind dto.MetricType, most int, bounds []float64) {
		keys := metric.Tags
		own := in.own
		if metric.Name == ScoreMetric {
			keys, own = dimsAnd(tagEval), []*tagSet{m.tagSets[tagEval]}
		}
		in.family = newFamily(x, prometheusName(metric), metric.Help, kind, keys, own, bounds)
		in.family.most = most
		in.family.full = func() {
			log.Warn("metric has too many series for Prometheus: the values of more have the labels other", slog.String("metric", metric.Name), slog.Int("max", most))
		}
		x.families = append(x.families, in.family)
	}
	for i := range counts {
		add(&m.counts[i], &counts[i], dto.MetricType_COUNTER, maxSeries, nil)
	}
	for i := range gauges {
		add(&m.gauges[i], &gauges[i], dto.MetricType_GAUGE, maxSeries, nil)
	}
	for i := range distributions {
		add(&m.distributions[i], &distributions[i], dto.MetricType_HISTOGRAM, maxHistograms, bounds[i])
	}
	x.handler = promhttp.HandlerFor(prometheus.GathererFunc(x.gather), promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes})
	return x
}

// prometheusName returns the name of a metric of the table in Prometheus.
func prometheusName(m *Metric) string {
	if m.Name == ScoreMetric {
		return "llm_eval_score"
	}
	name := strings.ReplaceAll(m.Name, ".", "_")
	if m.Type == TypeCount {
		name += "_total"
	}
	return name
}

// targetInfo says which worker a page is of, as OpenTelemetry does: one series, so that the
// others need not repeat it.
func targetInfo(t target) *dto.MetricFamily {
	one := &dto.Metric{Gauge: &dto.Gauge{Value: new(1.0)}}
	for _, label := range [][2]string{{"env", t.env}, {"service", t.service}, {"version", t.version}} {
		one.Label = append(one.Label, &dto.LabelPair{Name: &label[0], Value: &label[1]})
	}
	return &dto.MetricFamily{
		Name: new("target_info"), Help: new("The worker."), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{one},
	}
}

// combination returns the number of a combination of values of the dimensions. The number
// of combinations is bounded; further ones share that of other.
func (x *exposition) combination(values []string) int32 {
	key := strings.Join(values, "\x00") // no value has it
	x.mu.Lock()
	defer x.mu.Unlock()
	if n, ok := x.numbers[key]; ok {
		return n
	}
	if len(x.combinations) > maxDims {
		return otherNumber
	}
	n := int32(len(x.combinations)) //nolint:gosec // at most maxDims
	x.numbers[key] = n
	x.combinations = append(x.combinations, values)
	return n
}

// dims returns the values of a combination.
func (x *exposition) dims(n int32) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.combinations[n]
}

// series returns the number of series.
func (x *exposition) series() (n int) {
	for _, f := range x.families {
		n += f.size()
	}
	return n
}

// gather returns everything, in the order of the names.
func (x *exposition) gather() ([]*dto.MetricFamily, error) {
	all, err := x.process.Gather()
	all = append(all, x.target)
	for _, f := range x.families {
		if family := f.gather(); family != nil {
			all = append(all, family)
		}
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all, err
}

// seriesKey identifies a series within its family, by numbers: of the combination of
// dimensions, and of the values of the metric's own labels; 0 stands for none.
type seriesKey struct {
	dims int32
	own  [maxOwnTags]int32
}

// family is one metric with all its series.
type family struct {
	of     *exposition
	name   *string
	help   *string
	kind   *dto.MetricType
	labels []string // names, in the order of the table
	order  []int    // of the labels by name
	own    []*tagSet
	bounds []float64 // of a histogram
	other  seriesKey
	most   int
	full   func() // called once

	mu     sync.Mutex
	series map[seriesKey]*series // guarded by mu
	sorted []*series             // guarded by mu; in the order of their first value
	folds  bool                  // guarded by mu
}

// series is one combination of labels.
type series struct {
	key     seriesKey
	labels  []*dto.LabelPair
	value   float64  // of a counter or gauge; the sum of a histogram
	buckets []uint64 // of a histogram; the last one is for values above all bounds
}

func newFamily(x *exposition, name, help string, kind dto.MetricType, labels []string, own []*tagSet, bounds []float64) *family {
	f := &family{
		of: x, name: &name, help: &help, kind: kind.Enum(), labels: labels, own: own, bounds: bounds,
		series: map[seriesKey]*series{},
	}
	for i := range labels {
		f.order = append(f.order, i)
	}
	slices.SortFunc(f.order, func(a, b int) int { return cmp.Compare(labels[a], labels[b]) })
	if len(labels) > len(own) {
		f.other.dims = otherNumber
	}
	for i := range own {
		f.other.own[i] = otherNumber
	}
	return f
}

// add adds to a counter.
func (f *family) add(key seriesKey, v float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(key).value += v
}

// set sets a gauge. It reports false when there are too many: one for all others would
// mean nothing.
func (f *family) set(key seriesKey, v float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.series[key] == nil && len(f.series) >= f.most {
		return false
	}
	f.at(key).value = v
	return true
}

// observe adds a value to a histogram.
func (f *family) observe(key seriesKey, v float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(key)
	i := 0
	for i < len(f.bounds) && v > f.bounds[i] {
		i++
	}
	s.buckets[i]++
	s.value += v
}

// retain removes the series that keep does not want.
func (f *family) retain(keep func(seriesKey) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sorted = slices.DeleteFunc(f.sorted, func(s *series) bool {
		if keep(s.key) {
			return false
		}
		delete(f.series, s.key)
		return true
	})
}

func (f *family) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sorted)
}

// at returns the series of a key; when there are too many, the one of the labels other.
// The caller holds mu.
func (f *family) at(key seriesKey) *series {
	if s := f.series[key]; s != nil {
		return s
	}
	if len(f.series) >= f.most {
		f.of.folded.Add(1)
		if !f.folds {
			f.folds = true
			f.full()
		}
		key = f.other
		if s := f.series[key]; s != nil {
			return s
		}
	}
	s := &series{key: key, labels: f.labelsOf(key)}
	if f.bounds != nil {
		s.buckets = make([]uint64, len(f.bounds)+1)
	}
	f.series[key] = s
	f.sorted = append(f.sorted, s)
	return s
}

// labelsOf returns the labels of a key, in the order of their names.
func (f *family) labelsOf(key seriesKey) []*dto.LabelPair {
	values := make([]string, 0, len(f.labels))
	if len(f.labels) > len(f.own) {
		values = append(values, f.of.dims(key.dims)...)
	}
	for i, set := range f.own {
		values = append(values, set.numbered(key.own[i]))
	}
	pairs := make([]dto.LabelPair, len(values))
	labels := make([]*dto.LabelPair, len(values))
	for i, at := range f.order {
		pairs[i].Name, pairs[i].Value = &f.labels[at], &values[at]
		labels[i] = &pairs[i]
	}
	return labels
}

// gather returns the family as it is now; nil when it has no series. What it returns is
// not changed later, except that label pairs are shared.
func (f *family) gather() *dto.MetricFamily {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.sorted)
	if n == 0 {
		return nil
	}
	out := &dto.MetricFamily{Name: f.name, Help: f.help, Type: f.kind, Metric: make([]*dto.Metric, n)}
	// One allocation for each kind of part, not for each part: pages have thousands.
	metrics, values := make([]dto.Metric, n), make([]float64, n)
	for i, s := range f.sorted {
		values[i] = s.value
		metrics[i].Label, out.Metric[i] = s.labels, &metrics[i]
	}
	switch *f.kind {
	case dto.MetricType_COUNTER:
		parts := make([]dto.Counter, n)
		for i := range parts {
			parts[i].Value, metrics[i].Counter = &values[i], &parts[i]
		}
	case dto.MetricType_GAUGE:
		parts := make([]dto.Gauge, n)
		for i := range parts {
			parts[i].Value, metrics[i].Gauge = &values[i], &parts[i]
		}
	default:
		f.histograms(metrics, values)
	}
	return out
}

// histograms fills in the histograms of metrics. The caller holds mu.
func (f *family) histograms(metrics []dto.Metric, sums []float64) {
	n, each := len(metrics), len(f.bounds)
	parts, totals := make([]dto.Histogram, n), make([]uint64, n)
	buckets, refs, counts := make([]dto.Bucket, n*each), make([]*dto.Bucket, n*each), make([]uint64, n*each)
	for i, s := range f.sorted {
		var total uint64
		for b, count := range s.buckets {
			total += count
			if b < each {
				at := i*each + b
				counts[at] = total
				buckets[at].CumulativeCount, buckets[at].UpperBound = &counts[at], &f.bounds[b]
				refs[at] = &buckets[at]
			}
		}
		totals[i] = total
		h := &parts[i]
		h.SampleCount, h.SampleSum, h.Bucket = &totals[i], &sums[i], refs[i*each:(i+1)*each]
		metrics[i].Histogram = h
	}
}
