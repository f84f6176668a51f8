package stats_test

import (
	"fmt"

	"github.com/evalworker/evalworker/stats"
)

func Example() {
	var table stats.Table
	for i := range 2000 {
		version := fmt.Sprintf("2026-06-01.%d", 1+i%3)
		outcome := stats.Pass
		// One failure in ninety, but one in fifteen for version 3.
		if i%90 == 0 || version == "2026-06-01.3" && i%15 == 2 {
			outcome = stats.Fail
		}
		table.Add(stats.Key{PromptName: "support_triage", PromptVersion: version, Eval: "reply_format"}, stats.Verdict{Outcome: outcome, Probability: 1})
	}
	for _, c := range stats.Compare(&table, stats.Options{}) {
		if c.Worse && c.Against == stats.AgainstBaseline {
			fmt.Printf("%s of %s passes %.1f %%, before %.1f %%\n", c.Eval, c.PromptVersion, 100*c.Rate, 100*c.Baseline)
		}
	}
	// Output: reply_format of 2026-06-01.3 passes 79.9 %, before 100.0 %
}

func ExampleCell_PassRate() {
	var c stats.Cell
	for range 40 {
		c.Add(stats.Pass, 0.05) // a judge on 5 %: each counts for 20 requests
	}
	for range 10 {
		c.Add(stats.Fail, 1) // unhappy users, all of them judged
	}
	rate, low, high, _ := c.PassRate()
	fmt.Printf("%.3f [%.3f, %.3f] from %d verdicts, worth %.0f\n", rate, low, high, c.Decided(), c.EffectiveSize())
	// Output: 0.988 [0.891, 1.000] from 50 verdicts, worth 41
}

func ExampleDifference() {
	var a, b stats.Cell
	for i := range 300 {
		a.Add(stats.Outcome(1+i%30/29), 1) // Pass is 1, Fail is 2
		b.Add(stats.Outcome(1+i%10/9), 1)
	}
	d, low, high, _ := stats.Difference(a, b)
	fmt.Printf("%+.3f [%+.3f, %+.3f]\n", d, low, high)
	// Output: +0.067 [+0.025, +0.110]
}

func ExampleWorse() {
	var a, b stats.Cell
	for i := range 60 {
		a.Add([]stats.Outcome{stats.Pass, stats.Fail}[i%6/5], 0.05)
		b.Add(stats.Pass, 0.05)
	}
	p, ok := stats.Worse(a, b)
	fmt.Printf("%.4f %t\n", p, ok)
	// Output: 0.0006 true
}

func ExampleCompare() {
	var table stats.Table
	for version, fails := range map[string]int{"1": 7, "2": 8, "3": 45} {
		for i := range 667 {
			outcome := stats.Pass
			if i < fails {
				outcome = stats.Fail
			}
			table.Add(stats.Key{PromptVersion: version, Eval: "reply_format"}, stats.Verdict{Outcome: outcome, Probability: 1})
		}
	}
	for _, c := range stats.Compare(&table, stats.Options{Baseline: "1"}) {
		if c.Against == stats.AgainstBaseline && c.NotCompared == "" {
			fmt.Printf("version %s: %+.1f points [%+.1f, %+.1f], p = %.1g, a drop of %.1f would have shown\n",
				c.PromptVersion, 100*c.Difference, 100*c.Low, 100*c.High, c.PValue, 100*c.SmallestDrop)
		}
	}
	// Output:
	// version 3: -5.7 points [-8.0, -3.6], p = 1e-07, a drop of 3.3 would have shown
	// version 2: -0.1 points [-1.5, +1.1], p = 1, a drop of 3.3 would have shown
}
