package telemetry

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// exposition shows the metrics of a meter to Prometheus, which asks for all of them
// at a time. It is safe for concurrent use.
//
// It is no collector of Prometheus' library, because that makes each series anew for each
// page, and finds it by the text of its labels to record a value. Here a series is found
// by the numbers of its labels, and their text is made once.
type exposition struct {
	meter   *meter
	target  *dto.MetricFamily
	process prometheus.Gatherer // of Go's runtime and the process
	scrapes chan struct{}       // holds a place for each page that is being made
	buffers sync.Pool           // of *[]byte
}

// newExposition makes the meter record for Prometheus too. It comes before the first value.
func newExposition(m *meter, t target) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.prometheus = &exposition{meter: m, process: registry, target: targetInfo(t), scrapes: make(chan struct{}, maxScrapes)}
	for i := range distributions {
		m.distributions[i].bounds = bounds[i]
	}
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

// series returns the number of series.
func (x *exposition) series() (n int) {
	for f := range x.meter.families() {
		n += f.size()
	}
	return n
}
