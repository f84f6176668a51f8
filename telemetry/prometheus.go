package telemetry

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// Bounds of what is kept for Prometheus, so that a page and the memory behind it stay
// bounded whatever applications write.
const (
	maxSeries     = 5000 // of one count or gauge
	maxHistograms = 2000 // of one distribution; each has a dozen buckets
)

// exposition keeps the metrics of the table for Prometheus, which asks for all of them
// at a time. It is safe for concurrent use.
//
// It is no collector of Prometheus' library, because that makes each series anew for each
// page, and finds it by the text of its labels to record a value. Here a series is found
// by the numbers of its labels, and their text is made once.
type exposition struct {
	families []*family // in the order of the table
	target   *dto.MetricFamily
	process  prometheus.Gatherer // of Go's runtime and the process
	scrapes  chan struct{}       // holds a place for each page that is being made
	buffers  sync.Pool           // of *[]byte
	folded   atomic.Int64        // values that were recorded for the labels other

	mu           sync.RWMutex
	numbers      map[string]int32 // guarded by mu; of the combinations of dimensions
	combinations [][]string       // guarded by mu; by their numbers; the first two are none and other
}

// newExposition makes the meter record for Prometheus too.
func newExposition(m *meter, t target, log *slog.Logger) *exposition {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	x := &exposition{
		process: registry, target: targetInfo(t), scrapes: make(chan struct{}, maxScrapes),
		numbers: map[string]int32{}, combinations: [][]string{nil},
	}
	x.combination(slices.Repeat([]string{overflowValue}, len(dimKeys)))
	m.prometheus = x
	add := func(in *instrument, metric *Metric, most int, bounds []float64) {
		f := newFamily(x, metric, in.own, bounds)
		if metric.Name == ScoreMetric {
			f = newFamily(x, &Metric{Name: metric.Name, Type: metric.Type, Help: metric.Help, Tags: dimsAnd(tagEval)}, []*tagSet{m.tagSets[tagEval]}, bounds)
		}
		f.most = most
		f.full = func() {
			log.Warn("metric has too many series for Prometheus: the values of more have the labels other", slog.String("metric", f.name), slog.Int("max", most))
		}
		in.family = f
		x.families = append(x.families, f)
	}
	for i := range distributions {
		add(&m.distributions[i], &distributions[i], maxHistograms, bounds[i])
	}
	for i := range counts {
		add(&m.counts[i], &counts[i], maxSeries, nil)
	}
	for i := range gauges {
		add(&m.gauges[i], &gauges[i], maxSeries, nil)
	}
	return x
}

// totalSuffix is the end of the names of counters.
const totalSuffix = "_total"

// prometheusName returns the name of a metric of the table in Prometheus.
func prometheusName(m *Metric) string {
	if m.Name == ScoreMetric {
		return "llm_eval_score"
	}
	name := strings.ReplaceAll(m.Name, ".", "_")
	if m.Type == TypeCount {
		name += totalSuffix
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

// seriesKey identifies a series within its family, by numbers: of the combination of
// dimensions, and of the values of the metric's own labels; 0 stands for none.
type seriesKey struct {
	dims int32
	own  [maxOwnTags]int32
}

// family is one metric with all its series.
type family struct {
	of     *exposition
	name   string
	help   string
	kind   MetricType
	labels []string // names, in the order of the table
	order  []int    // of the labels by name
	own    []*tagSet
	bounds []float64 // of a histogram
	other  seriesKey
	most   int
	full   func() // called once, when there are too many series

	mu     sync.Mutex
	series map[seriesKey]*series // guarded by mu
	sorted []*series             // guarded by mu; in the order of their first value
	folds  bool                  // guarded by mu
}

// series is one combination of labels.
type series struct {
	key     seriesKey
	labels  string   // as they are on the page, without the braces
	value   float64  // of a counter or gauge; the sum of a histogram
	buckets []uint64 // of a histogram; the last one is for values above all bounds
}

func newFamily(x *exposition, m *Metric, own []*tagSet, bounds []float64) *family {
	f := &family{
		of: x, name: prometheusName(m), help: m.Help, kind: m.Type, labels: m.Tags, own: own, bounds: bounds, series: map[seriesKey]*series{},
	}
	for i := range f.labels {
		f.order = append(f.order, i)
	}
	slices.SortFunc(f.order, func(a, b int) int { return cmp.Compare(f.labels[a], f.labels[b]) })
	if m.hasDims() {
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
	if f.kind == TypeDistribution {
		s.buckets = make([]uint64, len(f.bounds)+1)
	}
	f.series[key] = s
	f.sorted = append(f.sorted, s)
	return s
}

// labelsOf returns the labels of a key, in the order of their names.
func (f *family) labelsOf(key seriesKey) string {
	values := make([]string, 0, len(f.labels))
	if len(f.labels) > len(f.own) {
		values = append(values, f.of.dims(key.dims)...)
	}
	for i, set := range f.own {
		values = append(values, set.numbered(key.own[i]))
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
