package telemetry_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/telemetry"
)

// page is what Prometheus reads, by the names of the metrics.
type page map[string]*dto.MetricFamily

// scrape asks for a page as Prometheus does, and reads it with its parser.
func scrape(t *testing.T, tel *telemetry.Telemetry) page {
	t.Helper()
	rec := httptest.NewRecorder()
	tel.ServeMetrics(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("%d: %s", rec.Code, rec.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(rec.Body)
	if err != nil {
		t.Fatalf("parse the page: %v", err)
	}
	return families
}

// find returns the metrics of a family that have all labels, each as name=value.
func (p page) find(name string, labels ...string) (found []*dto.Metric) {
	for _, m := range p[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !has[l] }) {
			found = append(found, m)
		}
	}
	return found
}

// sum returns the sum of a counter or gauge, or of the values of a histogram.
func (p page) sum(name string, labels ...string) (sum float64) {
	for _, m := range p.find(name, labels...) {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
	}
	return sum
}

// inPrometheus returns the name, type and labels that a metric of the table has there.
func inPrometheus(m telemetry.Metric) (string, dto.MetricType, []string) {
	name, labels := strings.ReplaceAll(m.Name, ".", "_"), slices.Clone(m.Tags)
	kind := map[telemetry.MetricType]dto.MetricType{
		telemetry.TypeCount: dto.MetricType_COUNTER, telemetry.TypeGauge: dto.MetricType_GAUGE, telemetry.TypeDistribution: dto.MetricType_HISTOGRAM,
	}[m.Type]
	if m.Type == telemetry.TypeCount {
		name += "_total"
	}
	if m.Name == telemetry.ScoreMetric {
		name, labels = "llm_eval_score", append(labels, "eval")
	}
	slices.Sort(labels)
	return name, kind, labels
}

// testTable compares a page with the table: each metric is there with its help, type and
// labels, and no other one, besides those of Go, of the process and of the target.
func (p page) testTable(t *testing.T, absent ...string) {
	t.Helper()
	want := map[string]bool{}
	for _, m := range telemetry.Metrics() {
		name, kind, labels := inPrometheus(m)
		want[name] = true
		family := p[name]
		if slices.Contains(absent, name) == (family != nil) {
			t.Errorf("%s: there: %t", name, family != nil)
		}
		if family == nil {
			continue
		}
		if family.GetType() != kind || family.GetHelp() != m.Help {
			t.Errorf("%s: type %s, help %q", name, family.GetType(), family.GetHelp())
		}
		for _, series := range family.GetMetric() {
			var got []string
			for _, l := range series.GetLabel() {
				got = append(got, l.GetName())
			}
			if !slices.Equal(got, labels) {
				t.Errorf("%s has the labels %q, want %q", name, got, labels)
			}
		}
	}
	for name := range p {
		if !want[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && name != "target_info" {
			t.Errorf("%s is not in the table", name)
		}
	}
	if p["go_goroutines"] == nil || p["process_cpu_seconds_total"] == nil {
		t.Error("Go's and the process' own metrics are missing")
	}
}

// TestPrometheusTable: one call records for both sinks.
func TestPrometheusTable(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.RequestMetrics, c.Env = true, "prod" })
	everything(s.Telemetry, func(v string) string { return v })
	s.end(t)
	p := scrape(t, s.Telemetry)
	p.testTable(t)
	if got := p.find("target_info", "service=evalworker", "version=1.2.3", "env=prod"); len(got) != 1 {
		t.Errorf("target_info = %v", p["target_info"])
	}
	for _, m := range telemetry.Metrics() {
		name, kind, _ := inPrometheus(m)
		if m.Name == telemetry.ScoreMetric || kind == dto.MetricType_GAUGE { // a gauge is sent many times
			continue
		}
		if got, want := p.sum(name), s.statsd.Sum(m.Name); got != want {
			t.Errorf("%s = %v, DogStatsD has %v", name, got, want)
		}
	}
}

// TestPrometheusValues: labels are the tags, empty when not known, and buckets hold the
// values up to their bounds.
func TestPrometheusValues(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, func(c *telemetry.Config) { c.RequestMetrics = true })
	everything(tel, func(v string) string { return v })
	tel.Report(report(func(r *eval.Report) { r.Event.Feature, r.Event.LatencyMS = "", new(100.0) }))
	closed(t, tel)
	p := scrape(t, tel)
	p.testTable(t, "evalworker_links_total") // there are no spans without Datadog
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"llm_requests_total", nil, 2},
		{"llm_requests_total", []string{"feature=", "env=staging", "prompt_name=returns", "prompt_version=7", "model=small-1", "provider=acme", "tenant_tier=free"}, 1},
		{"llm_eval_count_total", []string{"eval=reply_format", "outcome=fail", "feature=feature"}, 1},
		{"llm_eval_score", []string{"eval=correctness", "feature=feature"}, 0.75},
		{"llm_latency_ms", []string{"feature=feature"}, 1430.5},
		{"llm_cost_microusd_total", nil, 9800},
		{"llm_tasks_total", []string{"completed=true"}, 1},
		{"evalworker_events_total", []string{"outcome=evaluated", "reason="}, 2},
		{"evalworker_events_total", []string{"outcome=dead_lettered", "reason=too_large"}, 1},
		{"evalworker_lag", []string{"partition=3"}, 17},
		{"evalworker_config_refused", nil, 1},
		{"evalworker_judge_tokens_total", []string{"eval=eval", "model=model", "kind=output"}, 7},
		{"evalworker_dropped_total", []string{"sink=sink", "reason=reason"}, 2},
	} {
		if got := p.sum(tt.name, tt.labels...); got != tt.want {
			t.Errorf("%s%v = %v, want %v", tt.name, tt.labels, got, tt.want)
		}
	}
	h := p.find("llm_latency_ms", "feature=")[0].GetHistogram()
	if first := h.GetBucket()[0]; first.GetUpperBound() != 100 || first.GetCumulativeCount() != 1 || h.GetSampleCount() != 1 {
		t.Errorf("100 ms are not in the bucket up to 100: %v", h)
	}
	h = p.find("llm_latency_ms", "feature=feature")[0].GetHistogram()
	for _, b := range h.GetBucket() {
		if want := uint64(1); b.GetUpperBound() > 1430.5 && b.GetCumulativeCount() != want || b.GetUpperBound() < 1430.5 && b.GetCumulativeCount() != 0 {
			t.Errorf("1430.5 ms: %v", b)
		}
	}
	if last := h.GetBucket()[len(h.GetBucket())-1]; !math.IsInf(last.GetUpperBound(), 1) {
		t.Errorf("the last bucket ends at %v", last.GetUpperBound())
	}
}

// prometheusOnly returns a Telemetry without Datadog. Several may run at once.
func prometheusOnly(t testing.TB, change func(*telemetry.Config)) *telemetry.Telemetry {
	t.Helper()
	cfg := telemetry.DefaultConfig()
	cfg.Enabled, cfg.CloseTimeout = false, time.Minute
	if change != nil {
		change(&cfg)
	}
	tel, err := telemetry.New(cfg, telemetry.Deps{Log: discard(), Version: "1.2.3", Seed: 1, Prometheus: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Close(context.Background()) })
	return tel
}

// closed closes, so that everything has been recorded.
func closed(t *testing.T, tel *telemetry.Telemetry) {
	t.Helper()
	if err := tel.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// TestPrometheusIsOffUnlessAsked: nothing is kept for a page that nobody reads.
func TestPrometheusIsOffUnlessAsked(t *testing.T) {
	t.Parallel()
	cfg := telemetry.DefaultConfig()
	cfg.Enabled = false
	tel, err := telemetry.New(cfg, telemetry.Deps{Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	for _, tel := range []*telemetry.Telemetry{nil, {}, tel} {
		rec := httptest.NewRecorder()
		tel.ServeMetrics(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		if rec.Code != http.StatusNotFound {
			t.Errorf("%d, want 404", rec.Code)
		}
	}
}

// TestPrometheusHostileLabels: whatever an application writes, the page can be read and
// each label has the tag's value.
func TestPrometheusHostileLabels(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, func(c *telemetry.Config) {
		c.RequestMetrics, c.Service, c.Version = true, "a\"b\\c\nd", "\"} 1\nforged 1"
	})
	hostile := []string{"a\"b", "a\\", "a\nforged 1", "{a=\"b\"}", "\xff\xfe", "ÄÖÜ 価格", "  ", ":", "other", strings.Repeat("価", 5000)}
	for _, text := range hostile {
		everything(tel, func(string) string { return text })
	}
	closed(t, tel)
	p := scrape(t, tel)
	p.testTable(t, "evalworker_links_total")
	if got := p.sum("llm_requests_total"); got != float64(len(hostile)) {
		t.Errorf("llm_requests_total = %v, want %d", got, len(hostile))
	}
	if got := p.find("llm_requests_total", "feature=äöü_価格"); len(got) != 1 {
		t.Errorf("a label is not its tag: %v", p["llm_requests_total"])
	}
	if got := p.find("target_info", "service=a\"b\\c\nd", "version=\"} 1\nforged 1"); len(got) != 1 {
		t.Errorf("target_info = %v", p["target_info"])
	}
}

// TestCountsBeginAtZero: the first refused reload is an increase, because the count was
// there before.
func TestCountsBeginAtZero(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, nil)
	p := scrape(t, tel)
	for name, labels := range map[string][]string{
		"evalworker_events_total":  {"outcome=evaluated", "outcome=unwanted", "outcome=sampled_out"},
		"evalworker_reloads_total": {"outcome=applied", "outcome=refused"},
	} {
		for _, label := range labels {
			if found := p.find(name, label); len(found) != 1 || found[0].GetCounter().GetValue() != 0 {
				t.Errorf("%s{%s}: %v", name, label, found)
			}
		}
	}
}

// TestNegotiation: a client that asks for OpenMetrics gets it, others a text.
func TestNegotiation(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, nil)
	for accept, want := range map[string]string{
		"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5": "application/openmetrics-text; version=1.0.0",
		"application/openmetrics-text; version=0.0.1":                               "application/openmetrics-text; version=0.0.1",
		"text/plain;version=0.0.4":                                                  "text/plain; version=0.0.4",
		"":                                                                          "text/plain; version=0.0.4",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,text/plain;q=0.2": "text/plain; version=0.0.4",
	} {
		contentType, body := get(t, tel, accept)
		if !strings.HasPrefix(contentType, want) || strings.HasSuffix(body, "\n# EOF\n") != strings.Contains(want, "openmetrics") || strings.Count(body, "# EOF") > 1 {
			t.Errorf("Accept %q: content type %q, want %q; end %q", accept, contentType, want, body[len(body)-20:])
		}
	}
}

// get asks for a page in a format.
func get(t *testing.T, tel *telemetry.Telemetry, accept string) (contentType, body string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	tel.ServeMetrics(rec, req)
	return rec.Header().Get("Content-Type"), rec.Body.String()
}

// TestPageIsTheLibrarys: in both formats each family is byte for byte what the encoders of
// Prometheus' library make of it.
func TestPageIsTheLibrarys(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, func(c *telemetry.Config) { c.RequestMetrics = true })
	for _, text := range []string{"plain", "a\"b\\c\nd", "価格", ""} {
		everything(tel, func(string) string { return text })
	}
	tel.Report(report(func(r *eval.Report) {
		r.Event.LatencyMS, r.Event.EstimatedCostUSD, r.Event.InputTokens = new(1e300), new(1e-300), new(int64(123_456_789_012))
	}))
	tel.Lag(7, 1<<50, 0)
	tel.OldestAge(7, 0.1+0.2)
	closed(t, tel)
	families := scrape(t, tel)
	_, plain := get(t, tel, "text/plain")
	_, open := get(t, tel, "application/openmetrics-text;version=1.0.0")
	for _, m := range telemetry.Metrics() {
		name, _, _ := inPrometheus(m)
		if families[name] == nil {
			continue
		}
		var text, metrics strings.Builder
		if _, err := expfmt.MetricFamilyToText(&text, families[name]); err != nil {
			t.Fatal(err)
		}
		if _, err := expfmt.MetricFamilyToOpenMetrics(&metrics, families[name]); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plain, text.String()) {
			t.Errorf("the library writes another text:\n%s", text.String())
		}
		if !strings.Contains(open, metrics.String()) {
			t.Errorf("the library writes another page of OpenMetrics:\n%s", metrics.String())
		}
	}
}

// TestFamiliesAreThereOnce: no page has two families of one name, which strict readers of
// OpenMetrics refuse.
func TestFamiliesAreThereOnce(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, nil)
	for _, accept := range []string{"text/plain", "application/openmetrics-text;version=1.0.0"} {
		seen := map[string]bool{}
		_, body := get(t, tel, accept)
		for line := range strings.Lines(body) {
			name, ok := strings.CutPrefix(line, "# TYPE ")
			if name, _, _ = strings.Cut(name, " "); ok && seen[name] {
				t.Errorf("%s: %s is there twice", accept, name)
			}
			seen[name] = seen[name] || ok
		}
		if !seen["go_memstats_heap_alloc_bytes"] {
			t.Errorf("%s: %d families", accept, len(seen))
		}
	}
}

// slow is a client that reads nothing until it is released.
type slow struct {
	*httptest.ResponseRecorder
	waiting chan<- struct{}
	release <-chan struct{}
}

func (s slow) Write(p []byte) (int, error) {
	s.waiting <- struct{}{}
	<-s.release
	return s.ResponseRecorder.Write(p)
}

// TestSlowScrapes: clients that do not read their page neither stop the recording nor fill
// the memory, and the others are told.
func TestSlowScrapes(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, nil)
	everything(tel, func(v string) string { return v })
	waiting, release := make(chan struct{}, 1000), make(chan struct{})
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			tel.ServeMetrics(slow{httptest.NewRecorder(), waiting, release}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		})
		<-waiting
	}
	tel.Lag(3, 1, 1)
	rec := httptest.NewRecorder()
	tel.ServeMetrics(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusServiceUnavailable {
		t.Errorf("one client too many: %d", rec.Code)
	}
	close(release)
	clients.Wait()
	closed(t, tel)
	if got := scrape(t, tel).sum("evalworker_lag"); got != 1 {
		t.Errorf("evalworker_lag = %v", got)
	}
}

// TestLostPartitions: gauges of partitions that the worker does not have any more, and of
// backlogs that are not known any more, disappear.
func TestLostPartitions(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, nil)
	for partition := range 3 {
		tel.Lag(partition, 10, 5)
		tel.OldestAge(partition, 1.5)
	}
	tel.Inflight(4)
	tel.Partitions(0, 2)
	tel.Lag(2, -1, 7)
	p := scrape(t, tel)
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"evalworker_lag", []string{"0"}},
		{"evalworker_unfinished", []string{"0", "2"}},
		{"evalworker_oldest_age_seconds", []string{"0", "2"}},
	} {
		var got []string
		for _, m := range p[tt.name].GetMetric() {
			got = append(got, m.GetLabel()[0].GetValue())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s has the partitions %v, want %v", tt.name, got, tt.want)
		}
	}
	tel.Lag(1, 8, 8)
	if got := scrape(t, tel).sum("evalworker_lag", "partition=1"); got != 8 {
		t.Errorf("a partition that has come back has a lag of %v", got)
	}
	tel.Partitions()
	closed(t, tel)
	p = scrape(t, tel)
	if p["evalworker_lag"] != nil || p.sum("evalworker_inflight") != 4 {
		t.Errorf("a worker without partitions has %v; in flight %v", p["evalworker_lag"], p["evalworker_inflight"])
	}
}

// TestSeriesAreBounded: beyond the bound values are recorded with fewer labels, so that
// sums stay right; a metric and the page of state say how many.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	const n = 150 // of each of two labels: 22,500 combinations
	tel := prometheusOnly(t, func(c *telemetry.Config) { c.Queue = n * n })
	for i := range n * n {
		tel.Report(report(func(r *eval.Report) {
			r.Event.PromptVersion, r.Event.Feature = fmt.Sprint(i%n), fmt.Sprint(i/n)
			r.Verdicts = append(r.Verdicts, verdict("safety", eval.TypeLLMJudge, eval.OutcomePass, 0.5))
		}))
	}
	closed(t, tel)
	p, stats := scrape(t, tel), tel.Stats()
	if dropped := stats.Dropped(telemetry.SinkReports); dropped != 0 {
		t.Fatalf("%d reports were dropped", dropped)
	}
	// Three quarters of 2,000 have all labels, and each version keeps its name with both evaluators.
	for _, name := range []string{"llm_eval_count_total", "llm_eval_score"} {
		if got, want := len(p[name].GetMetric()), 1500+2*n; got != want {
			t.Errorf("%s has %d series, want %d", name, got, want)
		}
		if got := len(p.find(name, "feature=other", "model=other", "provider=other", "tenant_tier=other", "env=staging", "prompt_name=returns", "eval=safety")); got != n {
			t.Errorf("%s: %d versions keep their names, want %d", name, got, n)
		}
	}
	if got := p.sum("llm_eval_count_total"); got != 2*n*n {
		t.Errorf("llm_eval_count_total = %v, want %d: nothing is lost", got, 2*n*n)
	}
	if got, want := p.sum("evalworker_series_overflowed_total", "metric=llm.eval.count"), 2.0*n*n-1500; got != want || float64(stats.SeriesOverflow["llm.eval.count"]) != want {
		t.Errorf("evalworker_series_overflowed_total = %v, on the page of state %d; want %v", got, stats.SeriesOverflow["llm.eval.count"], want)
	}
	if stats.Prometheus.Series < 3*1800 {
		t.Errorf("stats = %+v", stats.Prometheus)
	}
	seen := map[string]bool{}
	for name, family := range p {
		for _, m := range family.GetMetric() {
			key := name + fmt.Sprint(m.GetLabel())
			if seen[key] {
				t.Fatalf("a series is there twice: %s", key)
			}
			seen[key] = true
		}
	}
}

// TestOther: a value that is called other, and those beyond the bound, are one series.
func TestOther(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, func(c *telemetry.Config) { c.RequestMetrics, c.MaxTagValues = true, 2 })
	for _, m := range []string{"other", "a", "b", "c", "Other"} {
		tel.Report(report(func(r *eval.Report) { r.Event.Model = m }))
	}
	closed(t, tel)
	if found := scrape(t, tel).find("llm_requests_total", "model=other"); len(found) != 1 || found[0].GetCounter().GetValue() != 3 {
		t.Errorf("other: %v, want one series of 3", found)
	}
}

// TestScrapeWhileRecording: pages are consistent while events are recorded, and counts
// never fall.
func TestScrapeWhileRecording(t *testing.T) {
	t.Parallel()
	tel := prometheusOnly(t, func(c *telemetry.Config) { c.Queue = 100_000 })
	const each = 400
	var recording, scraping sync.WaitGroup
	for w := range 4 {
		recording.Go(func() {
			for i := range each {
				tel.Report(report(func(r *eval.Report) { r.Event.PromptVersion = fmt.Sprint(i % 20) }))
				tel.JudgeCall(telemetry.JudgeCall{Eval: "e", Model: "m", InputTokens: 1})
				tel.Lag(i%5, int64(i), int64(w))
				tel.Partitions(w, w+1)
			}
		})
	}
	done := make(chan struct{})
	scraping.Go(func() {
		var before float64
		for {
			p := scrape(t, tel)
			tokens := p.sum("evalworker_judge_tokens_total")
			if tokens < before {
				t.Errorf("tokens fell from %v to %v", before, tokens)
			}
			before = tokens
			for _, m := range p["llm_eval_score"].GetMetric() {
				h := m.GetHistogram()
				if last := h.GetBucket()[len(h.GetBucket())-1]; last.GetCumulativeCount() != h.GetSampleCount() {
					t.Errorf("a histogram of %d values has %d in its buckets", h.GetSampleCount(), last.GetCumulativeCount())
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	recording.Wait()
	close(done)
	scraping.Wait()
	closed(t, tel)
	if got := scrape(t, tel).sum("llm_eval_count_total"); got != 4*each {
		t.Errorf("llm_eval_count_total = %v, want %d", got, 4*each)
	}
}
