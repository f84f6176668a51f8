package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/stats"
)

// fill adds n sampled events of a version.
func fill(r *rand.Rand, t *stats.Table, version, eval string, n int, strata ...stratum) {
	t.Put(stats.Key{PromptName: "triage", PromptVersion: version, Eval: eval}, sample(r, n, strata))
}

// drawSessions draws verdicts in sessions, each of which fails or passes as a whole.
func drawSessions(r *rand.Rand, verdicts, size int, fails float64) stats.Cell {
	var t stats.Table
	for i := range verdicts / size {
		o := stats.Pass
		if r.Float64() < fails {
			o = stats.Fail
		}
		for range size {
			t.Add(stats.Key{}, stats.Verdict{Outcome: o, Probability: 1, Unit: strconv.Itoa(i)})
		}
	}
	return t.Cell(stats.Key{})
}

func plain(fails float64) stratum { return stratum{1, fails, 1} }

// worse returns what is worse in a table, as "version eval", each once.
func worse(t *stats.Table, alpha float64) []string {
	out := []string{}
	for _, c := range stats.Compare(t, stats.Options{Alpha: alpha}) {
		if name := c.PromptVersion + " " + c.Eval; c.Worse && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// TestNoFalseAlarms: over tables without a regression, the share of those with a
// report stays at or below alpha, for even and uneven traffic, rare and common
// failures, and sampling rules that have to do with failing.
func TestNoFalseAlarms(t *testing.T) {
	t.Parallel()
	kept := []stratum{{0.05, 0.5, 1}, {0.95, 0.03, 0.1}}
	sessions := func(count, size int, fails float64) func(*rand.Rand, *stats.Table) {
		return func(r *rand.Rand, t *stats.Table) {
			for v := range count {
				for e := range 7 {
					t.Put(stats.Key{PromptVersion: fmt.Sprint(v), Eval: fmt.Sprint(e)}, drawSessions(r, 400, size, fails))
				}
			}
		}
	}
	heavy := []stratum{{0.9, 0.01, 1}, {0.1, 0.3, 0.02}}
	quiet := []stratum{{0.5, 0.002, 1}, {0.5, 0.05, 0.05}}
	for i, tt := range []struct {
		name  string
		alpha float64
		table func(r *rand.Rand, t *stats.Table)
	}{
		{"three versions, rare failures", 0.01, func(r *rand.Rand, t *stats.Table) {
			for _, v := range []string{".1", ".2", ".3"} {
				fill(r, t, v, "format", 667, plain(0.011))
			}
		}},
		{"three versions, three evaluators", 0.05, func(r *rand.Rand, t *stats.Table) {
			for _, v := range []string{".1", ".2", ".3"} {
				for e, fails := range map[string]float64{"format": 0.011, "tone": 0.3, "safety": 0.1} {
					fill(r, t, v, e, 200, plain(fails))
				}
			}
		}},
		{"a new version with little traffic", 0.05, func(r *rand.Rand, t *stats.Table) {
			fill(r, t, ".1", "format", 2000, plain(0.05))
			fill(r, t, ".2", "format", 60, plain(0.05))
		}},
		{"versions sampled at different rates", 0.05, func(r *rand.Rand, t *stats.Table) {
			fill(r, t, ".1", "tone", 3000, stratum{1, 0.1, 0.05})
			fill(r, t, ".2", "tone", 1000, stratum{1, 0.1, 0.5})
			fill(r, t, ".3", "tone", 300, plain(0.1))
		}},
		{"failures kept", 0.05, func(r *rand.Rand, t *stats.Table) {
			for _, v := range []string{".1", ".2", ".3"} {
				fill(r, t, v, "tone", 1500, kept...)
			}
		}},
		{"failures thinned out", 0.05, func(r *rand.Rand, t *stats.Table) {
			for _, v := range []string{".1", ".2"} {
				fill(r, t, v, "tone", 3000, quiet...)
			}
		}},
		// Without the agreement within sessions every second table would raise an alarm.
		{"two versions, sessions of 5 that fail as one", 0.01, sessions(2, 5, 0.1)},
		{"five versions, sessions of 10 that fail as one", 0.01, sessions(5, 10, 0.05)},
		{"twenty versions, sessions of 3 that fail as one", 0.01, sessions(20, 3, 0.2)},
		// On Kish's size alone one table in six would raise an alarm here.
		{"failures of large weight, rarely seen", 0.01, func(r *rand.Rand, t *stats.Table) {
			for _, v := range []string{".1", ".2"} {
				fill(r, t, v, "tone", 4000, heavy...)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(21, uint64(i)))
			runs, alarms := 1000.0, 0
			if strings.HasPrefix(tt.name, "twenty") {
				runs = 200
			}
			for range int(runs) {
				var table stats.Table
				tt.table(r, &table)
				if len(worse(&table, tt.alpha)) > 0 {
					alarms++
				}
			}
			// Three standard deviations above a true rate of alpha.
			most := runs*tt.alpha + 3*math.Sqrt(runs*tt.alpha*(1-tt.alpha))
			t.Logf("%d of %.0f tables raise an alarm, alpha is %g", alarms, runs, tt.alpha)
			if float64(alarms) > most {
				t.Errorf("%d of %.0f tables raise an alarm, want at most %.0f", alarms, runs, most)
			}
		})
	}
}

// TestPower: a rise of invalid JSON from 1.1 % to 6.8 % is detected in 667 events
// per version, and nearly as often when a judge sees one event in two.
func TestPower(t *testing.T) {
	t.Parallel()
	const runs = 1000
	for i, tt := range []struct {
		name        string
		probability float64
		least       int
	}{{"all events", 1, 985}, {"half of them", 0.5, 700}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(31, uint64(i)))
			seen, wrong := 0, 0
			for range runs {
				var table stats.Table
				for v, fails := range map[string]float64{".1": 0.011, ".2": 0.011, ".3": 0.068} {
					fill(r, &table, v, "format", 667, stratum{1, fails, tt.probability})
				}
				for _, name := range worse(&table, stats.DefaultAlpha) {
					if name == ".3 format" {
						seen++
					} else {
						wrong++
					}
				}
			}
			t.Logf("seen in %d of %d, healthy versions reported %d times", seen, runs, wrong)
			if seen < tt.least {
				t.Errorf("seen in %d of %d, want at least %d", seen, runs, tt.least)
			}
			if wrong > runs*stats.DefaultAlpha {
				t.Errorf("a healthy version is reported %d times beside a broken one", wrong)
			}
		})
	}
}

// put adds a version with exactly these verdicts, each sampled with probability 1.
func put(t *stats.Table, prompt, version, eval string, passes, fails int) {
	t.Put(stats.Key{PromptName: prompt, PromptVersion: version, Eval: eval}, cellOf(passes, fails, 1))
}

func TestWhoIsReported(t *testing.T) {
	t.Parallel()
	type version struct {
		prompt, version string
		passes, fails   int
	}
	tests := []struct {
		name string
		in   []version
		want []string
	}{
		{"nothing", nil, []string{}},
		{"one version alone", []version{{"p", "1", 0, 500}}, []string{}},
		{"alike", []version{{"p", "1", 950, 50}, {"p", "2", 948, 52}, {"p", "3", 953, 47}}, []string{}},
		{"one broken", []version{{"p", "1", 990, 10}, {"p", "2", 990, 10}, {"p", "3", 900, 100}}, []string{"3 e"}},
		{"two broken of four", []version{{"p", "1", 990, 10}, {"p", "2", 990, 10}, {"p", "3", 900, 100}, {"p", "4", 890, 110}}, []string{"4 e", "3 e"}},
		{"two broken of five", []version{{"p", "0", 990, 10}, {"p", "1", 990, 10}, {"p", "2", 990, 10}, {"p", "3", 900, 100}, {"p", "4", 890, 110}}, []string{"4 e", "3 e"}},
		{"one much better", []version{{"p", "1", 900, 100}, {"p", "2", 905, 95}, {"p", "3", 999, 1}}, []string{}},
		{"two versions", []version{{"p", "1", 990, 10}, {"p", "2", 900, 100}}, []string{"2 e"}},
		{"the version without a name is the oldest", []version{{"p", "1", 900, 100}, {"p", "", 990, 10}}, []string{"1 e"}},
		{"a better one", []version{{"p", "1", 700, 300}, {"p", "2", 980, 20}}, []string{}},
		{"two bad ones after a good one", []version{{"p", "v1", 950, 50}, {"p", "v2", 850, 150}, {"p", "v3", 850, 150}}, []string{"v2 e", "v3 e"}},
		{"as bad as the first", []version{{"p", "v8", 700, 300}, {"p", "v9", 950, 50}, {"p", "v10", 700, 300}}, []string{"v10 e"}},
		{"nothing passes any more", []version{{"p", "1", 490, 10}, {"p", "2", 0, 29}}, []string{"2 e"}},
		{"forty against forty", []version{{"p", "1", 40, 0}, {"p", "2", 28, 12}}, []string{"2 e"}},
		{"prompts are not compared", []version{{"p", "1", 990, 10}, {"q", "2", 500, 500}}, []string{}},
		{"too few", []version{{"p", "1", stats.MinDecided - 1, 0}, {"p", "2", 0, stats.MinDecided - 1}}, []string{}},
		{"just enough", []version{{"p", "1", stats.MinDecided, 0}, {"p", "2", 0, stats.MinDecided - 1}}, []string{"2 e"}},
		{"small others count together", []version{
			{"p", "1", 20, 0}, {"p", "2", 20, 0}, {"p", "3", 20, 0}, {"p", "4", 20, 0}, {"p", "5", 20, 40},
		}, []string{"5 e"}},
		{"no failure at all", []version{{"p", "1", 500, 0}, {"p", "2", 500, 0}}, []string{}},
		{"nothing but failures", []version{{"p", "1", 0, 500}, {"p", "2", 0, 500}}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var table stats.Table
			for _, v := range tt.in {
				put(&table, v.prompt, v.version, "e", v.passes, v.fails)
			}
			if d := cmp.Diff(tt.want, worse(&table, stats.DefaultAlpha)); d != "" {
				t.Errorf("reported (-want +got):\n%s", d)
			}
		})
	}
}

// TestNumbers checks the figures of one comparison.
func TestNumbers(t *testing.T) {
	t.Parallel()
	var table stats.Table
	put(&table, "p", "1", "format", 659, 8)
	put(&table, "p", "2", "format", 660, 7)
	put(&table, "p", "3", "format", 622, 45)
	cs := stats.Compare(&table, stats.Options{Baseline: "1"})
	var got stats.Comparison
	for _, c := range cs {
		if c.Against == stats.AgainstBaseline && c.PromptVersion == "3" {
			got = c
		}
	}
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"rate", got.Rate, 622.0 / 667},
		{"baseline", got.Baseline, 659.0 / 667},
		{"difference", got.Difference, -37.0 / 667},
		// Five times the p-value of Fisher's test, because five comparisons are made.
		{"p", got.PValue, 3.50209779943e-07},
	} {
		if !near(tt.got, tt.want, 1e-6*math.Abs(tt.want)) {
			t.Errorf("%s = %.12g, want %.12g", tt.name, tt.got, tt.want)
		}
	}
	if !got.Worse || got.BaselineVersion != "1" || got.Decided != 667 || got.BaselineDecided != 667 ||
		!(got.Low < got.Difference && got.Difference < got.High && got.High < 0) {
		t.Errorf("comparison %+v", got)
	}
}

// TestUnmade: what was not compared is returned with the reason.
func TestUnmade(t *testing.T) {
	t.Parallel()
	var table stats.Table
	put(&table, "alone", "1", "e", 0, 500)
	put(&table, "p", "1", "e", 500, 0)
	put(&table, "p", "2", "e", 0, 0)
	put(&table, "few", "1", "e", 20, 0)
	put(&table, "few", "2", "e", 0, 20)
	reasons := func(opts stats.Options) map[string]string {
		out := map[string]string{}
		for _, c := range stats.Compare(&table, opts) {
			out[c.PromptName+" "+c.PromptVersion] = c.NotCompared
		}
		return out
	}
	want := map[string]string{
		"alone 1": stats.OnlyVersion, "p 1": stats.FirstVersion, "p 2": stats.NothingDecided,
		"few 1": stats.FirstVersion, "few 2": stats.TooFew,
	}
	if d := cmp.Diff(want, reasons(stats.Options{})); d != "" {
		t.Errorf("the version before (-want +got):\n%s", d)
	}
	want = map[string]string{
		"alone 1": stats.NoBaseline, "p 1": stats.NoBaseline, "p 2": stats.NoBaseline,
		"few 1": stats.TooFew, "few 2": stats.IsBaseline,
	}
	if d := cmp.Diff(want, reasons(stats.Options{Baseline: "2"})); d != "" {
		t.Errorf("version 2 (-want +got):\n%s", d)
	}
}

// TestOrder: versions are in the order of their first events; those that began together
// are in the order of their names.
func TestOrder(t *testing.T) {
	t.Parallel()
	day := func(n float64) time.Time {
		return time.Unix(1_790_000_000, 0).Add(time.Duration(n * float64(24*time.Hour)))
	}
	for name, tt := range map[string]struct {
		began map[string]float64 // days
		want  map[string]string  // version to baseline
	}{
		"by time":            {map[string]float64{"b": 0, "a": 10, "c": 20}, map[string]string{"b": "", "a": "b", "c": "a"}},
		"together":           {map[string]float64{"v10": 0, "v9": 0.1, "v2": 0.2}, map[string]string{"v2": "", "v9": "v2", "v10": "v9"}},
		"two began together": {map[string]float64{"b": 10.1, "a": 10, "z": 0}, map[string]string{"z": "", "a": "z", "b": "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var table stats.Table
			for version, began := range tt.began {
				for i := range 100 {
					at := day(began + float64(i)*(30-began)/100)
					table.Add(stats.Key{PromptVersion: version}, stats.Verdict{Outcome: stats.Pass, Probability: 1, At: at})
				}
			}
			got := map[string]string{}
			for _, c := range stats.Compare(&table, stats.Options{}) {
				if c.Against == stats.AgainstBaseline {
					got[c.PromptVersion] = c.BaselineVersion
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestSmallestDrop: the drop that is named is found in about four cases of five.
func TestSmallestDrop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n     int
		fails float64
	}{{200, 0.1}, {1000, 0.02}, {1000, 0.3}} {
		t.Run(fmt.Sprintf("%d, %.0f %%", tt.n, 100*tt.fails), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(41, uint64(tt.n)))
			var table stats.Table
			put(&table, "", "1", "e", tt.n-int(tt.fails*float64(tt.n)), int(tt.fails*float64(tt.n)))
			put(&table, "", "2", "e", tt.n, 0)
			drop := stats.Compare(&table, stats.Options{})[0].SmallestDrop
			const runs = 1000
			found := 0
			for range runs {
				var table stats.Table
				fill(r, &table, "1", "e", tt.n, plain(tt.fails))
				fill(r, &table, "2", "e", tt.n, plain(tt.fails+drop))
				found += len(worse(&table, 0))
			}
			t.Logf("a drop of %.1f points is found in %d of %d", 100*drop, found, runs)
			if found < 650*runs/1000 || found > 950*runs/1000 {
				t.Errorf("a drop of %.1f points is found in %d of %d; want about 800", 100*drop, found, runs)
			}
		})
	}
}

// TestManyComparisons: adjusting for many healthy neighbours does not hide a
// plain regression, and costs a faint one its report.
func TestManyComparisons(t *testing.T) {
	t.Parallel()
	var table stats.Table
	for e := range 40 {
		put(&table, "p", "1", fmt.Sprint("e", e), 480, 20)
		put(&table, "p", "2", fmt.Sprint("e", e), 480, 20)
	}
	put(&table, "p", "1", "plain", 490, 10)
	put(&table, "p", "2", "plain", 400, 100)
	put(&table, "p", "1", "faint", 490, 10)
	put(&table, "p", "2", "faint", 470, 30) // p = 0.0009 alone
	if d := cmp.Diff([]string{"2 plain"}, worse(&table, stats.DefaultAlpha)); d != "" {
		t.Errorf("reported (-want +got):\n%s", d)
	}
}
