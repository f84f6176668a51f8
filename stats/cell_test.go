package stats_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/stats"
)

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

// cellOf returns a cell of equally weighted verdicts.
func cellOf(passes, fails int, p float64) stats.Cell {
	var c stats.Cell
	for range passes {
		c.Add(stats.Pass, p)
	}
	for range fails {
		c.Add(stats.Fail, p)
	}
	return c
}

// TestOutcomesFollowEval: the numbers equal those of package eval, so that a
// conversion is enough.
func TestOutcomesFollowEval(t *testing.T) {
	t.Parallel()
	pairs := map[eval.Outcome]stats.Outcome{
		eval.OutcomeError: stats.Error, eval.OutcomePass: stats.Pass, eval.OutcomeFail: stats.Fail,
		eval.OutcomeNotApplicable: stats.NotApplicable, eval.OutcomeCannotJudge: stats.CannotJudge,
	}
	if len(pairs) != len(eval.Outcomes()) {
		t.Errorf("%d outcomes, want %d", len(pairs), len(eval.Outcomes()))
	}
	for o, want := range pairs {
		if stats.Outcome(o) != want {
			t.Errorf("%s is %d, want %d", o, o, want)
		}
	}
}

func TestCellCounts(t *testing.T) {
	t.Parallel()
	var c stats.Cell
	c.Add(stats.Pass, 0.5)
	c.Add(stats.Pass, 1)
	c.Add(stats.Fail, 0.25)
	c.Add(stats.Error, 1)
	c.Add(stats.NotApplicable, 1)
	c.Add(stats.CannotJudge, 0)
	c.Add(stats.Outcome(99), 1)
	for _, p := range []float64{0, -1, 1.0001, math.NaN(), math.Inf(1), 1e-300} {
		c.Add(stats.Fail, p)
	}
	want := stats.Cell{
		Errors: 2, Passes: 2, Fails: 7, NotApplicable: 1, CannotJudge: 1, Unweighted: 6,
		Weight: 7, WeightSquared: 21, PassWeight: 3, PassWeightSquared: 5,
		Units: 3, PassUnits: 2, FailUnits: 1, UnitWeightSquared: 21, UnitWeightPass: 5, UnitPassWeightSquared: 5,
		Strata: stats.Strata{{Sampled: 2, Decided: 1}, {Sampled: 1, Decided: 1}, {Sampled: 1, Decided: 1}},
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("cell (-want +got):\n%s", d)
	}
	if c.Decided() != 3 || c.Count() != 13 {
		t.Errorf("decided %d of %d, want 3 of 13", c.Decided(), c.Count())
	}
	rate, _, _, ok := c.PassRate()
	if !ok || !near(rate, 3.0/7, 1e-15) {
		t.Errorf("rate = %g, %t; want 3/7", rate, ok)
	}
}

// TestPassRateGolden: equal weights lead to the values of the exact interval (those of
// binom.test in R).
func TestPassRateGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		passes, fails   int
		rate, low, high float64
	}{
		{90, 10, 0.9, 0.8237774, 0.9509953},
		{81, 182, 81.0 / 263, 0.2527367, 0.3676219}, // .2527 to .3676 in Newcombe 1998, table I
		{10, 0, 1, 0.6915029, 1},
		{0, 10, 0, 0, 0.3084971},
		{1, 0, 1, 0.025, 1},
	} {
		for _, p := range []float64{1, 0.05, 1.0 / 3} {
			rate, low, high, ok := cellOf(tt.passes, tt.fails, p).PassRate()
			if !ok || !near(rate, tt.rate, 1e-12) || !near(low, tt.low, 2e-7) || !near(high, tt.high, 2e-7) {
				t.Errorf("%d of %d at p=%g: %.7f [%.7f, %.7f] %t, want %.7f [%.7f, %.7f]",
					tt.passes, tt.passes+tt.fails, p, rate, low, high, ok, tt.rate, tt.low, tt.high)
			}
		}
	}
	var empty stats.Cell
	empty.Add(stats.Error, 1)
	if _, _, _, ok := empty.PassRate(); ok || empty.EffectiveSize() != 0 {
		t.Error("a cell without a decided verdict has a rate")
	}
}

// TestEffectiveSizesAreThoseByHand compares with values worked out by hand.
func TestEffectiveSizesAreThoseByHand(t *testing.T) {
	t.Parallel()
	independent := cellOf(90, 10, 1) // weights 1 and 4, both failing 10 %
	independent.Merge(cellOf(90, 10, 0.25))
	heavyFails := cellOf(5000, 0, 1) // all failures stand for 20 events each
	heavyFails.Merge(cellOf(0, 5, 0.05))
	lightFails := cellOf(0, 50, 1)
	lightFails.Merge(cellOf(50, 0, 0.05))
	r := 5000.0 / 5100
	for name, tt := range map[string]struct {
		cell stats.Cell
		want float64
	}{
		"equal weights": {cellOf(7, 3, 0.3), 10},
		"one":           {cellOf(1, 0, 0.01), 1},
		"Kish's":        {independent, 500.0 * 500 / (100 + 1600)},
		// V = (5000 (1-r)^2 + 2000 r^2) / 5100^2 implies about 255, Kish says 3716.
		"failures weigh more": {heavyFails, r * (1 - r) * 5100 * 5100 / (5000*(1-r)*(1-r) + 2000*r*r)},
		// V would imply more than Kish's size, which is the smaller.
		"failures weigh less": {lightFails, 1050.0 * 1050 / (50 + 20000)},
	} {
		if got := tt.cell.EffectiveSize(); !near(got, tt.want, 1e-9*tt.want) {
			t.Errorf("%s: %g, want %g", name, got, tt.want)
		}
	}
}

// TestMergingIsAdding: merging is adding verdict by verdict, in any order and grouping.
// Probabilities are powers of two, so that sums are exact.
func TestMergingIsAdding(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var all stats.Cell
		parts := make([]stats.Cell, 1+r.IntN(6))
		for range r.IntN(300) {
			o, p := stats.Outcome(r.IntN(6)), math.Pow(0.5, float64(r.IntN(12)))
			all.Add(o, p)
			parts[r.IntN(len(parts))].Add(o, p)
		}
		var forward, backward, nested stats.Cell
		for i := range parts {
			forward.Merge(parts[i])
			backward.Merge(parts[len(parts)-1-i])
			inner := parts[i]
			inner.Merge(nested)
			nested = inner
		}
		for name, got := range map[string]stats.Cell{"forward": forward, "backward": backward, "nested": nested} {
			if d := cmp.Diff(all, got); d != "" {
				t.Fatalf("%s (-added +merged):\n%s", name, d)
			}
		}
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		var back stats.Cell
		if err := json.Unmarshal(b, &back); err != nil || back != all {
			t.Fatalf("%s reads back as %+v, %v", b, back, err)
		}
	}
}

// TestScaleDoesNotMatter: sampling everything twice as thinly changes neither
// rate nor interval.
func TestScaleDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var a, b stats.Cell
		for range 1 + r.IntN(200) {
			o, p := stats.Pass, 0.01+0.99*r.Float64()
			if r.IntN(5) == 0 {
				o = stats.Fail
			}
			a.Add(o, p)
			b.Add(o, p/2)
		}
		rateA, lowA, highA, _ := a.PassRate()
		rateB, lowB, highB, _ := b.PassRate()
		if !near(rateA, rateB, 1e-12) || !near(lowA, lowB, 1e-12) || !near(highA, highB, 1e-12) {
			t.Fatalf("%g [%g, %g] and %g [%g, %g]", rateA, lowA, highA, rateB, lowB, highB)
		}
		if !(0 <= lowA && lowA <= rateA && rateA <= highA && highA <= 1) {
			t.Fatalf("interval %g [%g, %g]", rateA, lowA, highA)
		}
		if n := a.EffectiveSize(); n < 0 || n > float64(a.Decided())*(1+1e-9) {
			t.Fatalf("effective size %g of %d", n, a.Decided())
		}
	}
}

// TestUnseenEventsWithholdTheRate: a rate is that of all events. What none of them stands
// for widens the interval, and most of them unseen leave no rate and no comparison.
func TestUnseenEventsWithholdTheRate(t *testing.T) {
	t.Parallel()
	expect := func(c stats.Cell, events int, p float64) stats.Cell {
		for range events {
			c.Expect(p)
		}
		return c
	}
	kept := expect(cellOf(90, 10, 1), 100, 1)
	_, low, high, _ := kept.PassRate()
	for _, tt := range []struct {
		name   string
		cell   stats.Cell
		unseen float64
		known  bool
	}{
		{"not counted", cellOf(90, 10, 1), 0, true},
		{"all seen", kept, 0, true},
		{"a probability that is none", expect(kept, 900, 0), 0, true},
		{"a fifth unseen", expect(kept, 25, 0.001), 0.2, true},
		{"most unseen", expect(kept, 900, 0.001), 0.9, false},
	} {
		rate, from, to, ok := tt.cell.PassRate()
		if !near(tt.cell.Unseen(), tt.unseen, 1e-12) || ok != tt.known {
			t.Errorf("%s: %g unseen, rate %t; want %g, %t", tt.name, tt.cell.Unseen(), ok, tt.unseen, tt.known)
		}
		if ok && !(near(rate, 0.9, 1e-12) && near(from, low*(1-tt.unseen), 1e-12) && near(to, high*(1-tt.unseen)+tt.unseen, 1e-12)) {
			t.Errorf("%s: %g [%g, %g]", tt.name, rate, from, to)
		}
		if _, ok := stats.Worse(tt.cell, cellOf(500, 0, 1)); ok != tt.known {
			t.Errorf("%s: compared %t, want %t", tt.name, ok, tt.known)
		}
	}
	// One verdict of the thin stratum is enough to know it a little: its weight shows how
	// little. Verdicts that are all undecided leave the events that might be decided.
	thin := expect(kept, 900, 0.001)
	thin.Add(stats.Pass, 0.001)
	if _, _, _, ok := thin.PassRate(); !ok || thin.Unseen() != 0 || thin.EffectiveSize() > 2 {
		t.Errorf("with one verdict: rate %t, %g unseen, worth %g", ok, thin.Unseen(), thin.EffectiveSize())
	}
	undecided := expect(kept, 100, 0.3)
	for range 30 {
		undecided.Add(stats.NotApplicable, 0.3)
	}
	if want := 70 * (1 - math.Pow(0.05, 1.0/30)); !near(undecided.Unseen(), want/(100+want), 1e-12) {
		t.Errorf("%g unseen, want %g", undecided.Unseen(), want/(100+want))
	}
	// What is unseen of either side counts in favour of the version.
	fewer, _ := stats.Worse(expect(kept, 25, 0.001), cellOf(490, 10, 1))
	all, _ := stats.Worse(kept, cellOf(490, 10, 1))
	other, _ := stats.Worse(kept, expect(expect(cellOf(490, 10, 1), 500, 1), 25, 0.001))
	if !(all < fewer && all < other) {
		t.Errorf("p = %g with all seen, %g and %g with some unseen", all, fewer, other)
	}
}

// TestDifferenceGolden: the example of Newcombe 1998, table II, with exact intervals
// of .6873 to .8861 and .4844 to .7079 in place of Wilson's.
func TestDifferenceGolden(t *testing.T) {
	t.Parallel()
	d, low, high, ok := stats.Difference(cellOf(56, 14, 1), cellOf(48, 32, 0.1))
	if !ok || !near(d, 0.2, 1e-12) || !near(low, 0.0439, 5e-5) || !near(high, 0.3442, 5e-5) {
		t.Errorf("difference %.4f [%.4f, %.4f] %t, want 0.2 [0.0439, 0.3442]", d, low, high, ok)
	}
	if _, _, _, ok := stats.Difference(cellOf(1, 1, 1), stats.Cell{}); ok {
		t.Error("a difference to nothing")
	}
}
