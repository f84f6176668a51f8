package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/stats"
)

// fill adds n sampled events of a version.
func fill(r *rand.Rand, t *stats.Table, version, eval string, n int, strata ...stratum) {
	t.Put(stats.Key{PromptName: "triage", PromptVersion: version, Eval: eval}, sample(r, n, strata))
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

// TestMarksInDrawnTables: tables that are drawn again and again are marked as they should
// be, nearly always.
func TestMarksInDrawnTables(t *testing.T) {
	t.Parallel()
	type version struct {
		events int
		fails  float64
	}
	for i, tt := range []struct {
		name     string
		versions []version
		want     []string // in any order
	}{
		{"two bad ones after a good one", []version{{1500, 0.05}, {1500, 0.15}, {1500, 0.15}}, []string{"v1 e", "v2 e"}},
		{"a bad old one does not hide a bad new one", []version{{1500, 0.15}, {1500, 0.05}, {1500, 0.15}}, []string{"v2 e"}},
		{"as bad as all others but one", []version{{1500, 0.15}, {1500, 0.15}, {1500, 0.15}, {1500, 0.02}, {1500, 0.15}}, []string{"v4 e"}},
		{"one alone", []version{{1500, 0.5}}, []string{}},
		{"29 of 29 fail", []version{{400, 0.05}, {29, 1}}, []string{"v1 e"}},
		{"40 against 40", []version{{40, 0}, {40, 0.4}}, []string{"v1 e"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(61, uint64(i)))
			const runs = 200
			right := 0
			for range runs {
				var table stats.Table
				for v, one := range tt.versions {
					fill(r, &table, fmt.Sprint("v", v), "e", one.events, plain(one.fails))
				}
				got := worse(&table, stats.DefaultAlpha)
				slices.Sort(got)
				if slices.Equal(got, tt.want) {
					right++
				}
			}
			if right < runs*97/100 {
				t.Errorf("%d of %d tables are marked %v", right, runs, tt.want)
			}
		})
	}
}

// TestADeadJudgeIsNoFinding: evaluations that are all errors are told as not compared.
func TestADeadJudgeIsNoFinding(t *testing.T) {
	t.Parallel()
	var table stats.Table
	for _, version := range []string{"1", "2"} {
		for range 500 {
			table.Add(stats.Key{PromptVersion: version, Eval: "e"}, stats.Verdict{Outcome: stats.Error, Probability: 1})
		}
	}
	cs := stats.Compare(&table, stats.Options{})
	if len(cs) != 2 || cs[0].NotCompared != stats.NothingDecided || cs[1].NotCompared != stats.NothingDecided {
		t.Errorf("comparisons %+v", cs)
	}
}

// TestUnorderedValues: values without an order are compared with all others together,
// or with the one that is named.
func TestUnorderedValues(t *testing.T) {
	t.Parallel()
	var table stats.Table
	put(&table, "p", "large", "e", 950, 50)
	put(&table, "p", "middle", "e", 948, 52)
	put(&table, "p", "small", "e", 850, 150)
	put(&table, "q", "large", "e", 950, 50)
	questions := func(opts stats.Options) (out []string) {
		for _, c := range stats.Compare(&table, opts) {
			q := fmt.Sprintf("%s %s, %s %s", c.PromptName, c.PromptVersion, c.Against, c.BaselineVersion)
			if c.Worse {
				q += " worse"
			}
			out = append(out, q+c.NotCompared)
		}
		slices.Sort(out)
		return out
	}
	want := []string{"p large, others ", "p middle, others ", "p small, others  worse", "q large, others only version"}
	if d := cmp.Diff(want, questions(stats.Options{Unordered: true})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	want = []string{"p large, baseline middle", "p middle, baseline baseline", "p small, baseline middle worse", "q large, baseline no baseline"}
	if d := cmp.Diff(want, questions(stats.Options{Unordered: true, Baseline: "middle"})); d != "" {
		t.Errorf("with a baseline (-want +got):\n%s", d)
	}
}

// TestABreakIsFound: a rise of invalid JSON from 1.1 % to 6.8 % is detected in 667 events
// per version, and nearly as often when a judge sees one event in two.
func TestABreakIsFound(t *testing.T) {
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

// TestWhatIsNotComparedHasItsReason: what was not compared is returned with the reason.
func TestWhatIsNotComparedHasItsReason(t *testing.T) {
	t.Parallel()
	var table stats.Table
	put(&table, "alone", "1", "e", 0, 500)
	put(&table, "p", "1", "e", 500, 0)
	put(&table, "p", "2", "e", 0, 0)
	put(&table, "few", "1", "e", 20, 0)
	put(&table, "few", "2", "e", 0, 20)
	for _, version := range []string{"1", "2", "3"} {
		put(&table, "thin", version, "e", 0, 40)
		for range 1000 {
			if version != "2" {
				table.Expect(stats.Key{PromptName: "thin", PromptVersion: version, Eval: "e"}, 0.001, 1)
			}
		}
	}
	reasons := func(opts stats.Options) map[string]string {
		out := map[string]string{}
		for _, c := range stats.Compare(&table, opts) {
			if c.Against == stats.AgainstBaseline {
				out[c.PromptName+" "+c.PromptVersion] = c.NotCompared
			}
		}
		return out
	}
	want := map[string]string{
		"alone 1": stats.OnlyVersion, "p 1": stats.FirstVersion, "p 2": stats.NothingDecided,
		"few 1": stats.FirstVersion, "few 2": stats.TooFew,
		"thin 1": stats.MostUnseen, "thin 2": stats.FirstVersion, "thin 3": stats.MostUnseen,
	}
	if d := cmp.Diff(want, reasons(stats.Options{})); d != "" {
		t.Errorf("the version before (-want +got):\n%s", d)
	}
	want = map[string]string{
		"alone 1": stats.NoBaseline, "p 1": stats.NoBaseline, "p 2": stats.NoBaseline,
		"few 1": stats.TooFew, "few 2": stats.IsBaseline,
		"thin 1": stats.MostUnseen, "thin 2": stats.IsBaseline, "thin 3": stats.MostUnseen,
	}
	if d := cmp.Diff(want, reasons(stats.Options{Baseline: "2"})); d != "" {
		t.Errorf("version 2 (-want +got):\n%s", d)
	}
}

// TestVersionsAreInTheOrderOfTime: versions are in the order of their first events; those that began together
// are in the order of their names.
func TestVersionsAreInTheOrderOfTime(t *testing.T) {
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

// TestOrderByNameIsSaid: a comparison says when only names tell which version is the newer
// one. Many short-lived versions are in the order of time, although each begins within a
// hundredth of the whole time after the one before it; so are versions beside one that
// has no verdict; and one that comes back keeps its place.
func TestOrderByNameIsSaid(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_790_000_000, 0)
	add := func(table *stats.Table, version string, at time.Time, hours int) {
		for i := range 40 {
			v := stats.Verdict{Outcome: stats.Pass, Probability: 1, At: at}
			if !at.IsZero() {
				v.At = at.Add(time.Duration(i*hours) * time.Hour / 40)
			}
			table.Add(stats.Key{PromptVersion: version, Eval: "e"}, v)
		}
	}
	type order struct {
		Baseline string
		ByName   bool
	}
	got := func(table *stats.Table) map[string]order {
		out := map[string]order{}
		for _, c := range stats.Compare(table, stats.Options{}) {
			if c.Against == stats.AgainstBaseline && c.NotCompared == "" {
				out[c.PromptVersion] = order{c.BaselineVersion, c.ByName}
			}
		}
		return out
	}
	var nightly stats.Table
	want := map[string]order{}
	name := func(night int) string { return fmt.Sprintf("%03d", 150-night) } // the order of names is the other way round
	for night := range 150 {
		add(&nightly, name(night), start.AddDate(0, 0, night), 24)
		if night > 0 {
			want[name(night)] = order{name(night - 1), false}
		}
	}
	if d := cmp.Diff(want, got(&nightly)); d != "" {
		t.Errorf("nightly (-want +got):\n%s", d)
	}
	var thin stats.Table
	add(&thin, "b", start, 240)
	add(&thin, "a", start.AddDate(0, 0, 5), 120)
	thin.Expect(stats.Key{PromptVersion: "c", Eval: "e"}, 0.01, 1) // and never sampled
	if d := cmp.Diff(map[string]order{"a": {"b", false}}, got(&thin)); d != "" {
		t.Errorf("one without a verdict (-want +got):\n%s", d)
	}
	var back stats.Table
	add(&back, "b", start, 24)
	add(&back, "a", start.AddDate(0, 0, 1), 24)
	add(&back, "b", start.AddDate(0, 0, 2), 24)
	if d := cmp.Diff(map[string]order{"a": {"b", false}}, got(&back)); d != "" {
		t.Errorf("one that comes back (-want +got):\n%s", d)
	}
	var unknown stats.Table
	add(&unknown, "b", start, 24)
	add(&unknown, "a", time.Time{}, 0)
	add(&unknown, "c", start.AddDate(0, 0, 9), 24)
	if d := cmp.Diff(map[string]order{"b": {"a", true}, "c": {"b", true}}, got(&unknown)); d != "" {
		t.Errorf("no times (-want +got):\n%s", d)
	}
	var together stats.Table
	add(&together, "b", start, 240)
	add(&together, "a", start.Add(time.Hour), 240)
	if d := cmp.Diff(map[string]order{"b": {"a", true}}, got(&together)); d != "" {
		t.Errorf("together (-want +got):\n%s", d)
	}
}

// TestAVersionBeginsWithItsFirstEvent: a thinly sampled evaluator may see the newer version
// first, which does not make it the older one.
func TestAVersionBeginsWithItsFirstEvent(t *testing.T) {
	t.Parallel()
	var table stats.Table
	start := time.Unix(1_790_000_000, 0)
	add := func(version, eval string, hours int) {
		at := start.Add(time.Duration(hours) * time.Hour)
		table.Add(stats.Key{PromptVersion: version, Eval: eval}, stats.Verdict{Outcome: stats.Pass, Probability: 1, At: at})
	}
	for hour := range 100 {
		add("b", "all", hour)
		if hour >= 20 {
			add("a", "all", hour)
		}
		if hour >= 40 {
			add("a", "few", hour)
		}
		if hour >= 60 {
			add("b", "few", hour)
		}
	}
	for _, c := range stats.Compare(&table, stats.Options{}) {
		want := map[string]string{"a": "b", "b": ""}[c.PromptVersion]
		if c.BaselineVersion != want {
			t.Errorf("%s: %s is compared with %q, want %q", c.Eval, c.PromptVersion, c.BaselineVersion, want)
		}
	}
}

// TestTheSmallestDropIsFoundFourTimesInFive: the drop that is named is found in about four cases of five.
func TestTheSmallestDropIsFoundFourTimesInFive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n     int
		fails float64
	}{{45, 0}, {120, 0}, {2000, 0}, {400, 0.0025}, {400, 0.01}, {200, 0.1}, {1000, 0.02}, {1000, 0.3}} {
		t.Run(fmt.Sprintf("%d, %g %%", tt.n, 100*tt.fails), func(t *testing.T) {
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
			if found < 750*runs/1000 || found > 850*runs/1000 {
				t.Errorf("a drop of %.1f points is found in %d of %d; want about 800", 100*drop, found, runs)
			}
		})
	}
}

// TestManyNeighboursDoNotHideADrop: adjusting for many healthy neighbours does not hide a
// plain regression, and costs a faint one its report.
func TestManyNeighboursDoNotHideADrop(t *testing.T) {
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
