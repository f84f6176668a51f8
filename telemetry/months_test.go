package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// fakeWorker is the part of a worker that records, with both sinks.
type fakeWorker struct {
	*recorder
	out *seriesSink
	log bytes.Buffer
}

func newFakeWorker(most limits) *fakeWorker {
	w := &fakeWorker{out: &seriesSink{sums: map[string]int64{}, used: map[string]map[string]time.Time{}}}
	d := &drops{}
	m := newMeter(target{}, most, d, slog.New(slog.NewTextHandler(&w.log, nil)))
	newExposition(m, target{})
	m.statsd = w.out
	w.recorder = &recorder{
		meter: m, drops: d, random: rand.New(rand.NewPCG(1, 1)), requests: true, //nolint:gosec // a test
		toolNames: newToolNames(nil), releases: newReleases(),
	}
	return w
}

// seriesSink is a DogStatsD client that keeps sums of counts, and when each series was last used.
type seriesSink struct {
	sums map[string]int64
	used map[string]map[string]time.Time // by metric and tags
}

func (s *seriesSink) note(name string, tags []string) {
	if strings.HasPrefix(name, scorePrefix) && name != "llm.eval.count" && name != "llm.eval.weighted" {
		tags = append(slices.Clip(tags), name)
		name = ScoreMetric
	}
	if s.used[name] == nil {
		s.used[name] = map[string]time.Time{}
	}
	s.used[name][strings.Join(tags, ",")] = time.Now()
}

func (s *seriesSink) Count(name string, n int64, tags []string, _ float64) error {
	s.sums[name] += n
	s.note(name, tags)
	return nil
}

func (s *seriesSink) Gauge(string, float64, []string, float64) error { return nil }

func (s *seriesSink) Distribution(name string, _ float64, tags []string, _ float64) error {
	s.note(name, tags)
	return nil
}

func (s *seriesSink) Event(*statsd.Event) error { return nil }
func (s *seriesSink) Close() error              { return nil }

// live returns how many series of a metric have been used in some time, and forgets the others.
func (s *seriesSink) live(name string, within time.Duration) int {
	maps.DeleteFunc(s.used[name], func(_ string, at time.Time) bool { return time.Since(at) > within })
	return len(s.used[name])
}

// counters reads the page for Prometheus, and returns its counters by series, and how many
// series each metric has; a histogram counts once.
func (w *fakeWorker) counters(t *testing.T) (values map[string]float64, sizes map[string]int) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.meter.prometheus.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	values, sizes = map[string]float64{}, map[string]int{}
	for line := range strings.Lines(rec.Body.String()) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		name, _, _ := strings.Cut(series, "{")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasSuffix(name, "_count"):
			sizes[strings.TrimSuffix(name, "_count")]++
		case strings.HasSuffix(name, totalSuffix):
			sizes[name]++
			if _, twice := values[series]; twice {
				t.Fatalf("a series is there twice: %s", series)
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			values[series] = v
		}
	}
	return values, sizes
}

// increases adds up counters over pages as Prometheus does: what is below the page before has
// begun anew.
type increases struct {
	last map[string]float64
	sums map[string]float64
}

func (i *increases) read(values map[string]float64) {
	for series, v := range values {
		name, _, _ := strings.Cut(series, "{")
		if before := i.last[series]; v >= before {
			v -= before
		}
		i.sums[name] += v
	}
	i.last = values
}

// request is one with a version of a prompt, a judge and a rule.
func request(version string, n int) *eval.Report {
	return &eval.Report{
		Event: &event.Event{
			Kind: event.KindRequestCompleted, RequestID: "r", Environment: "prod", Feature: fmt.Sprint("feature_", n%2),
			PromptName: "returns", PromptVersion: version, Model: "small-1", Provider: "acme", TenantTier: []string{"free", "paid"}[n/2%2],
			LatencyMS: new(200.0), InputTokens: new(int64(3)),
		},
		Plan: eval.Plan{Candidates: []eval.Pick{{Probability: 0.3}}, Upstream: 1},
		Verdicts: []eval.Verdict{
			{Eval: "correctness", Type: eval.TypeLLMJudge, Outcome: eval.OutcomePass, Score: 1, Probability: 0.3},
			{Eval: "safety", Type: eval.TypeRule, Outcome: []eval.Outcome{eval.OutcomePass, eval.OutcomeFail}[n%2], Probability: 1},
		},
	}
}

// TestThousandsOfVersions: a new version each five seconds for six hours. The newest has its
// name all the time, in both sinks; series and memory are bounded, and sums exact.
func TestThousandsOfVersions(t *testing.T) {
	t.Parallel()
	const (
		versions = 4300
		every    = 5 * time.Second
		lives    = 6 // versions that are in use at a time
	)
	synctest.Test(t, func(t *testing.T) {
		most := limits{200, 2000}
		w := newFakeWorker(most)
		var prom increases
		prom.sums = map[string]float64{}
		var requests, weighted int64
		hour, largest := map[string]bool{}, 0
		for v := range versions {
			for n := range 2 * lives {
				version := fmt.Sprint("2026-06-01.", max(0, v-n/2))
				before := w.out.sums["llm.requests"]
				w.report(request(version, v+n))
				requests++
				weighted += w.out.sums["llm.requests"] - before
			}
			newest := fmt.Sprint("prompt_version:2026-06-01.", v)
			for _, name := range []string{"llm.requests", "llm.eval.count", "llm.latency_ms", ScoreMetric} {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(w.out.used[name])), func(tags string) bool { return strings.Contains(tags+",", newest+",") }) {
					t.Fatalf("%s: the newest version %d has no name", name, v)
				}
			}
			for tags := range w.out.used["llm.eval.count"] {
				hour[tags] = true
			}
			if v%720 == 719 {
				largest = max(largest, len(hour))
				clear(hour)
			}
			for range int(every / time.Second) {
				<-time.After(time.Second)
				w.meter.tick()
			}
			if v%12 == 0 { // each minute
				for name := range w.out.used {
					if got := w.out.live(name, idleAfter*time.Second/2); got > most.series {
						t.Fatalf("%s has %d series in five minutes", name, got)
					}
				}
				values, sizes := w.counters(t)
				for name, got := range sizes {
					if got > most.series {
						t.Fatalf("the page has %d series of %s", got, name)
					}
				}
				prom.read(values)
			}
		}
		values, _ := w.counters(t)
		prom.read(values)
		for name, want := range map[string]int64{
			"llm.eval.count": 2 * requests, "llm.requests": weighted, "llm.input_tokens": 3 * weighted, "evalworker.tags_overflowed": 0, "evalworker.series_overflowed": 0,
		} {
			if got := w.out.sums[name]; got != want {
				t.Errorf("DogStatsD has %s = %d, want %d", name, got, want)
			}
			if got := prom.sums[strings.ReplaceAll(name, ".", "_")+totalSuffix]; got != float64(want) {
				t.Errorf("Prometheus has %s = %v, want %d", name, got, want)
			}
		}
		if per := float64(weighted) / float64(requests); per < 3.2 || per > 3.5 {
			t.Errorf("a request counts %v times, want 1/0.3", per)
		}
		t.Logf("%d requests; llm.eval.count had %d series in an hour", requests, largest)
		w.testBounds(t, most)
		<-time.After(forgetAfter * time.Second)
		w.meter.tick()
		if got := len(w.meter.tagSets["prompt_version"].values) + len(w.meter.dims) + len(w.meter.combinations) + w.meter.counts[countRequests].size(); got != 0 {
			t.Errorf("%d things are remembered of a day without events", got)
		}
	})
}

// testBounds compares all that a meter remembers with its bounds.
func (w *fakeWorker) testBounds(t *testing.T, most limits) {
	t.Helper()
	for _, g := range w.meter.sortedSets {
		if len(g.values) > g.limit || len(g.spellings) > 4*g.limit || len(g.strangers.young) > maxStrangers || len(g.strangers.former) > maxStrangers {
			t.Errorf("%s: %d values, %d spellings, %d and %d without a place", g.key, len(g.values), len(g.spellings), len(g.strangers.young), len(g.strangers.former))
		}
	}
	if len(w.meter.dims) > maxDims || len(w.meter.combinations) > maxDims || len(w.releases.seen) > maxVersions {
		t.Errorf("%d and %d combinations, %d versions", len(w.meter.dims), len(w.meter.combinations), len(w.releases.seen))
	}
	for f := range w.meter.families() {
		// What is beyond the bound has the program's own values alone.
		if few := 20; len(f.sorted) > max(f.most, most.series)+few || len(f.series) > 4*f.most || len(f.byLabels) != len(f.sorted) || len(f.folded) > f.most {
			t.Errorf("%s: %d series, %d numbers, %d labels, %d folded", f.metric, len(f.sorted), len(f.series), len(f.byLabels), len(f.folded))
		}
	}
}

// TestTooManySeries: more combinations than a metric may have, all in use, with ids in one of
// the tags. Series and memory are bounded in both sinks, sums are exact, each version has its
// name, a metric and the log say what happened, and when it is over all tags come back.
func TestTooManySeries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		most := limits{200, 400}
		w := newFakeWorker(most)
		var prom increases
		prom.sums = map[string]float64{}
		var requests int64
		for second := range 3 * 3600 {
			for n := range 4 {
				r := request(fmt.Sprint(n%4), n)
				r.Event.Feature = fmt.Sprint("feature_", (second*4+n)%150)
				r.Event.Model = fmt.Sprint("id-", requests)
				w.report(r)
				requests++
			}
			<-time.After(time.Second)
			w.meter.tick()
			if second%300 == 0 {
				values, sizes := w.counters(t)
				prom.read(values)
				for name, got := range sizes {
					if got > most.series+5 {
						t.Fatalf("the page has %d series of %s", got, name)
					}
				}
				if got := w.out.live("llm.eval.count", time.Second); got > most.series+5 {
					t.Fatalf("llm.eval.count has %d series in a second", got)
				}
			}
		}
		values, _ := w.counters(t)
		prom.read(values)
		if got := w.out.sums["llm.eval.count"]; got != 2*requests || prom.sums["llm_eval_count_total"] != float64(2*requests) {
			t.Errorf("llm.eval.count = %d and %v, want %d", got, prom.sums["llm_eval_count_total"], 2*requests)
		}
		w.testBounds(t, most)
		for _, version := range []string{"0", "1", "2", "3"} {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(w.out.used["llm.eval.count"])), func(tags string) bool {
				return strings.Contains(tags, "feature:other,prompt_name:returns,prompt_version:"+version+",model:other,provider:other,tenant_tier:other,eval:correctness")
			}) {
				t.Errorf("version %s has no name where other tags have none", version)
			}
		}
		if w.out.sums["evalworker.tags_overflowed"] == 0 || w.out.sums["evalworker.series_overflowed"] == 0 {
			t.Errorf("overflows: %v", w.out.sums)
		}
		for _, line := range []string{"tag=model ", "metric=llm.eval.count "} {
			if got := strings.Count(w.log.String(), line); got != 3 {
				t.Errorf("the log has %d lines of three hours with %s:\n%s", got, line, w.log.String())
			}
		}
		<-time.After(idleAfter * time.Second)
		w.meter.tick()
		clear(w.out.used)
		w.report(request("3", 1))
		if got := slices.Collect(maps.Keys(w.out.used["llm.requests"])); !slices.Equal(got, []string{"env:prod,feature:feature_1,prompt_name:returns,prompt_version:3,model:small-1,provider:acme,tenant_tier:free"}) {
			t.Errorf("when it is over, a request has the tags %q", got)
		}
	})
}

// TestWorkersAgree: a worker that has run for days and one that has just been started name the
// same values, of all tags that applications fill.
func TestWorkersAgree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const days, perDay = 7, 300 // versions; more than there are places in each day
		most := limits{100, 1000}
		old := newFakeWorker(most)
		var young *fakeWorker
		for minute := range days * 24 * 60 {
			if minute == (days-1)*24*60 {
				young = newFakeWorker(most)
			}
			n := minute * perDay / (24 * 60) // the newest version; four are in use
			r := request(fmt.Sprint("v", n-minute%4), minute)
			r.Event.Model = fmt.Sprint("model-", n/40)
			r.Verdicts[0].Eval = fmt.Sprint("judge-", n/7)
			for _, w := range []*fakeWorker{old, young} {
				if w != nil {
					w.report(r)
				}
			}
			<-time.After(time.Minute)
			for _, w := range []*fakeWorker{old, young} {
				if w != nil {
					w.meter.tick()
				}
			}
		}
		for _, name := range []string{"llm.eval.count", "llm.requests", ScoreMetric} {
			old.out.live(name, 12*time.Hour)
			young.out.live(name, 12*time.Hour)
			a, b := slices.Sorted(maps.Keys(old.out.used[name])), slices.Sorted(maps.Keys(young.out.used[name]))
			if len(a) < 100 || !slices.Equal(a, b) {
				t.Errorf("%s: in half a day the old worker had %d series, the young one %d", name, len(a), len(b))
			}
			if i := slices.IndexFunc(a, func(tags string) bool { return strings.Contains(tags, ":other") }); i >= 0 {
				t.Errorf("%s: other in %s", name, a[i])
			}
		}
		values := func(w *fakeWorker, key string) (texts []string) {
			for text, v := range w.meter.tagSets[key].values {
				if w.meter.clock.now()-v.used.Load() < 3600 {
					texts = append(texts, text)
				}
			}
			slices.Sort(texts)
			return texts
		}
		for _, key := range []string{"prompt_version", "model", "eval", "feature"} {
			if a, b := values(old, key), values(young, key); len(a) == 0 || !slices.Equal(a, b) {
				t.Errorf("%s: the old worker names %q, the young one %q", key, a, b)
			}
		}
	})
}

// TestRareSeriesStay: a counter that seldom increases stays on the page as long as its tags
// are in use, because Prometheus does not see the first increase of one that comes back; that
// of a version that nobody uses goes after a day.
func TestRareSeriesStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeWorker(limits{200, 2000})
		w.report(request("old", 0))
		failed := request("7", 0)
		failed.Verdicts[0].Outcome = eval.OutcomeError
		w.report(failed)
		for range 3 * 24 {
			w.report(request("7", 0))
			<-time.After(time.Hour)
			w.meter.tick()
		}
		values, _ := w.counters(t)
		var errors float64
		for series, v := range values {
			if strings.Contains(series, `prompt_version="old"`) {
				t.Errorf("%s is there after three days", series)
			}
			if strings.HasPrefix(series, "llm_eval_count") && strings.Contains(series, `outcome="error"`) {
				errors += v
			}
		}
		if errors != 1 {
			t.Errorf("the error of three days ago counts %v times", errors)
		}
	})
}
