package faults

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The evaluators of a run with churn.
const (
	judgeName     = "helpfulness"
	validatorName = "length"
)

const (
	// lookEvery is how often metrics are read.
	lookEvery = 2 * time.Second
	// namedAfter is how soon after an event's evaluation its version has to be named. A
	// worker sends to DogStatsD every 2 s.
	namedAfter = 5 * time.Second
)

// sample is what a worker holds at a time.
type sample struct {
	cycle      int
	quiet      bool // nothing was away, and nothing was held up
	partitions float64
	versions   float64 // that have a name in /metrics
	goroutines float64
	files      float64 // descriptors
	heap       float64 // live after the last collection, in bytes
	rss        float64 // in bytes
}

// named counts how often the newest version was looked for, and where it was missing.
type named struct {
	looks   int
	missing []string // versions
}

// watch reads the metrics of the workers while a run lasts. Its owner reads the fields
// after stop.
type watch struct {
	c    *churn
	quit chan struct{}
	done sync.WaitGroup

	samples  map[string][]sample
	weighted map[string]map[evaluated]float64 // llm_eval_weighted_total by worker, as last seen
	page     named                            // in /metrics
	stats    named                            // by DogStatsD
	silent   int                              // looks without an answer
	dropped  map[string]float64               // for DogStatsD, by worker
	lossy    []outage                         // between two looks, metrics were dropped
	stacks   map[string][2]stacks             // goroutines in the first and in the last quiet moment, by worker

	read    int                                 // calls of the model that were read
	first   map[string]map[int]time.Time        // when a worker had its first answer about a version that passes
	looked  time.Time                           // the last look
	metrics func(worker string) (metrics, bool) // of a worker now
}

func newWatch(c *churn) *watch {
	w := &watch{
		c: c, quit: make(chan struct{}), samples: map[string][]sample{}, weighted: map[string]map[evaluated]float64{},
		dropped: map[string]float64{}, first: map[string]map[int]time.Time{}, stacks: map[string][2]stacks{},
	}
	for _, name := range churnWorkers {
		w.weighted[name], w.first[name] = map[evaluated]float64{}, map[int]time.Time{}
	}
	w.metrics = func(name string) (metrics, bool) {
		text, code := c.workers[name].get("/metrics")
		return metrics(text), code == http.StatusOK
	}
	return w
}

// start begins to look. It ends with stop or with the row.
func (w *watch) start() {
	w.looked = time.Now()
	w.done.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.look()
			case <-w.quit:
				return
			case <-w.c.t.Context().Done():
				return
			}
		}
	})
	w.c.t.Cleanup(w.done.Wait)
}

// stop ends the looking, with a last look.
func (w *watch) stop() {
	close(w.quit)
	w.done.Wait()
	w.look()
}

// look reads the metrics of both workers once.
func (w *watch) look() {
	at := time.Now()
	w.answers()
	drops := false
	newest := 0 // version of which DogStatsD must have heard
	for _, name := range churnWorkers {
		page, ok := w.metrics(name)
		status, known := w.c.workers[name].status()
		if !ok || !known {
			w.silent++
			continue
		}
		mine := w.newest(name, at.Add(-namedAfter))
		newest = max(newest, mine)
		versions := w.keep(name, page)
		if mine > 0 {
			w.page.looks++
			if w.weighted[name][evaluated{versionName(mine), judgeName}] == 0 {
				w.page.missing = append(w.page.missing, versionName(mine))
			}
		}
		if lost := page.sum("evalworker_dropped_total", "sink", "dogstatsd"); lost > w.dropped[name] {
			w.dropped[name], drops = lost, true
		}
		s := w.sample(len(status.Consumer.Partitions), versions, page)
		w.samples[name] = append(w.samples[name], s)
		if s.quiet {
			w.profile(name)
		}
	}
	if drops {
		w.lossy = append(w.lossy, outage{w.looked, at})
	}
	if newest > 0 && !w.lost(w.firstOf(newest).Add(-time.Second), at) {
		w.stats.looks++
		if !w.c.sink.names(versionName(newest)) {
			w.stats.missing = append(w.stats.missing, versionName(newest))
		}
	}
	w.looked = at
}

// lost reports whether metrics for DogStatsD may have been lost in a time: the agent was
// away, or a worker dropped some.
func (w *watch) lost(from, to time.Time) bool {
	return w.c.sink.wasAway(from, to) || slices.ContainsFunc(w.lossy, func(o outage) bool { return o.overlaps(from, to) })
}

// answers notes which versions workers have evaluated since the last look. An event
// that fails may wait for the store, so those that pass are noted.
func (w *watch) answers() {
	calls := w.c.model.since(w.read)
	w.read += len(calls)
	for _, c := range calls {
		if c.answered.IsZero() || fails(c.id) {
			continue
		}
		mine := w.first[c.worker]
		if v := versionOf(c.id); mine[v].IsZero() || c.answered.Before(mine[v]) {
			mine[v] = c.answered
		}
	}
}

// newest returns the newest version of which a worker had evaluated an event by a time.
func (w *watch) newest(worker string, by time.Time) int {
	newest := 0
	for v, at := range w.first[worker] {
		if v > newest && !at.After(by) {
			newest = v
		}
	}
	return newest
}

// firstOf returns when an event of a version was evaluated first.
func (w *watch) firstOf(version int) (first time.Time) {
	for _, name := range churnWorkers {
		if at := w.first[name][version]; first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	return first
}

// keep remembers the counts of verdicts by version, and returns how many versions have
// a name. One that has lost it keeps its last counts.
func (w *watch) keep(worker string, page metrics) (versions int) {
	sums := map[evaluated]float64{}
	page.each("llm_eval_weighted_total", func(labels string, v float64) {
		e := evaluated{label(labels, "prompt_version"), label(labels, "eval")}
		if sums[e] == 0 && e.eval == judgeName && e.version != "other" {
			versions++
		}
		sums[e] += v
	})
	maps.Copy(w.weighted[worker], sums)
	return versions
}

// sample returns what a worker holds.
func (w *watch) sample(partitions, versions int, page metrics) sample {
	quiet := int(w.c.quiet.Load())
	return sample{
		cycle: quiet - 1, quiet: quiet > 0, partitions: float64(partitions), versions: float64(versions),
		goroutines: page.sum("go_goroutines"), files: page.sum("process_open_fds"), rss: page.sum("process_resident_memory_bytes"),
		// The collector begins again when as much is allocated as was live, so this is live
		// memory whatever has been allocated since.
		heap: page.sum("go_memstats_next_gc_bytes") / 2,
	}
}

// profile remembers the goroutines of a worker, to explain a growth.
func (w *watch) profile(worker string) {
	text, code := w.c.workers[worker].get("/debug/pprof/goroutine?debug=1")
	if code != http.StatusOK {
		return
	}
	now := stacksOf(string(text))
	both := w.stacks[worker]
	if both[0] == nil {
		both[0] = now
	}
	both[1] = now
	w.stacks[worker] = both
}

// stacks counts goroutines by the function that they began with.
type stacks map[string]int

// stacksOf reads a profile in the text format of runtime/pprof: a line "3 @ ..." for each
// stack, and its frames below it, each in a line that begins with "#".
func stacksOf(profile string) stacks {
	out := stacks{}
	n, outermost := 0, ""
	end := func() {
		if outermost != "" {
			out[outermost] += n
		}
		outermost = ""
	}
	for line := range strings.Lines(profile) {
		switch fields := strings.Fields(line); {
		case len(fields) > 2 && fields[0] == "#":
			outermost, _, _ = strings.Cut(fields[2], "+")
		case len(fields) > 1 && fields[1] == "@":
			end()
			n, _ = strconv.Atoi(fields[0])
		}
	}
	end()
	return out
}

// more says which goroutines there are more of than before.
func (s stacks) more(before stacks) string {
	grown := map[string]int{}
	for name, n := range s {
		if n > before[name] {
			grown[name] = n - before[name]
		}
	}
	return tally(grown)
}

// metrics is a page of /metrics.
type metrics string

// each calls f for each series of a metric.
func (m metrics) each(name string, f func(labels string, v float64)) {
	for line := range strings.Lines(string(m)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		labels, text := "", rest
		if end := strings.LastIndexByte(rest, '}'); end >= 0 {
			labels, text = rest[1:end], rest[end+1:]
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
			f(labels, v)
		}
	}
}

// sum adds up the series of a metric, or those in which each given label has the
// value after it.
func (m metrics) sum(name string, pairs ...string) (sum float64) {
	m.each(name, func(labels string, v float64) {
		for pair := range slices.Chunk(pairs, 2) {
			if label(labels, pair[0]) != pair[1] {
				return
			}
		}
		sum += v
	})
	return sum
}

// label returns the value of a label.
func label(labels, key string) string {
	_, rest, ok := strings.Cut(","+labels, ","+key+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestStacks(t *testing.T) {
	t.Parallel()
	before := stacksOf("goroutine profile: total 3\n2 @ 0x1 0x2\n#\t0x1\tnet.read+0x2\tnet.go:1\n#\t0x2\tkafka.(*conn).run+0x3\tconn.go:2\n\n1 @ 0x3\n#\t0x3\tmain.main+0x1\tmain.go:1\n")
	after := stacks{"kafka.(*conn).run": 5, "main.main": 1, "new": 1}
	if got, want := after.more(before), "3 kafka.(*conn).run, 1 new"; got != want {
		t.Errorf("more: %q, want %q", got, want)
	}
}

func TestMetricsPage(t *testing.T) {
	t.Parallel()
	page := metrics("# HELP a b\na{x=\"1\",eval=\"one\"} 2\na{eval=\"two\",x=\"1\"} 3.5\nab 7\ngo 1e+06\n")
	for _, row := range []struct {
		name  string
		pairs []string
		want  float64
	}{
		{"a", nil, 5.5},
		{"a", []string{"eval", "two"}, 3.5},
		{"a", []string{"x", "1", "eval", "one"}, 2},
		{"a", []string{"y", "1"}, 0},
		{"go", nil, 1e6},
		{"b", nil, 0},
	} {
		if got := page.sum(row.name, row.pairs...); got != row.want {
			t.Errorf("sum(%s, %q) = %v, want %v", row.name, row.pairs, got, row.want)
		}
	}
}
