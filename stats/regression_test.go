package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/stats"
)

// fill adds n sampled events of a version.
func fill(r *rand.Rand, t *stats.Table, version, eval string, n int, strata ...stratum) {
	t.Put(stats.Key{PromptName: "triage", PromptVersion: version, Eval: eval}, sample(r, n, strata))
}

func plain(fails float64) stratum { return stratum{1, fails, 1} }

// versions returns the versions of regressions, as "version eval".
func versions(rs []stats.Regression) []string {
	out := []string{}
	for _, r := range rs {
		out = append(out, r.PromptVersion+" "+r.Eval)
	}
	return out
}

// TestNoFalseAlarms: over tables without a regression, the share of those with a
// report stays at or below alpha, for even and uneven traffic, rare and common
// failures, and sampling rules that have to do with failing.
func TestNoFalseAlarms(t *testing.T) {
	t.Parallel()
	const runs = 2500
	kept := []stratum{{0.05, 0.5, 1}, {0.95, 0.03, 0.1}}
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
			alarms := 0
			for range runs {
				var table stats.Table
				tt.table(r, &table)
				if len(stats.Regressions(&table, tt.alpha)) > 0 {
					alarms++
				}
			}
			// Three standard deviations above a true rate of alpha.
			most := runs*tt.alpha + 3*math.Sqrt(runs*tt.alpha*(1-tt.alpha))
			t.Logf("%d of %d tables raise an alarm, alpha is %g", alarms, runs, tt.alpha)
			if float64(alarms) > most {
				t.Errorf("%d of %d tables raise an alarm, want at most %.0f", alarms, runs, most)
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
				for _, reg := range stats.Regressions(&table, stats.DefaultAlpha) {
					if reg.PromptVersion == ".3" {
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
			if wrong > 0 {
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
		{"the version without a name", []version{{"p", "1", 990, 10}, {"p", "", 900, 100}}, []string{" e"}},
		{"prompts are not compared", []version{{"p", "1", 990, 10}, {"q", "2", 500, 500}}, []string{}},
		{"too few", []version{{"p", "1", 990, 10}, {"p", "2", 0, stats.MinDecided - 1}}, []string{}},
		{"just enough", []version{{"p", "1", 990, 10}, {"p", "2", 0, stats.MinDecided}}, []string{"2 e"}},
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
			if d := cmp.Diff(tt.want, versions(stats.Regressions(&table, stats.DefaultAlpha))); d != "" {
				t.Errorf("reported (-want +got):\n%s", d)
			}
		})
	}
}

// TestRegressionNumbers checks the figures of one report.
func TestRegressionNumbers(t *testing.T) {
	t.Parallel()
	var table stats.Table
	put(&table, "p", "1", "format", 659, 8)
	put(&table, "p", "2", "format", 660, 7)
	put(&table, "p", "3", "format", 622, 45)
	rs := stats.Regressions(&table, 0) // no alpha: the default
	if len(rs) != 1 {
		t.Fatalf("%d regressions, want one", len(rs))
	}
	r := rs[0]
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"rate", r.Rate, 622.0 / 667},
		{"baseline", r.Baseline, 1319.0 / 1334},
		{"difference", r.Difference, 622.0/667 - 1319.0/1334},
		// Three times the larger of the two single p-values, version 3 against 1.
		{"p", r.PValue, 2.10125867966e-07},
	} {
		if !near(tt.got, tt.want, 1e-6*math.Abs(tt.want)) {
			t.Errorf("%s = %.12g, want %.12g", tt.name, tt.got, tt.want)
		}
	}
	if r.Decided != 667 || r.BaselineDecided != 1334 || !(r.Low < r.Difference && r.Difference < r.High && r.High < 0) {
		t.Errorf("regression %+v", r)
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
	if d := cmp.Diff([]string{"2 plain"}, versions(stats.Regressions(&table, stats.DefaultAlpha))); d != "" {
		t.Errorf("reported (-want +got):\n%s", d)
	}
}
