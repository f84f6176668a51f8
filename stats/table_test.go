package stats_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/stats"
)

func contents(t *stats.Table) map[stats.Key]stats.Cell {
	out := maps.Collect(t.All())
	return out
}

// TestNothingIsLostBetweenGoroutines: several goroutines add, read and merge at once, also two
// tables into each other, and nothing is lost.
func TestNothingIsLostBetweenGoroutines(t *testing.T) {
	t.Parallel()
	var a, b stats.Table
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				k := stats.Key{PromptVersion: fmt.Sprint(i % 3), Eval: "e"}
				a.Add(k, stats.Verdict{Outcome: stats.Pass, Probability: 0.5})
				b.Put(k, cellOf(0, 1, 1))
				if worker == 0 && i%100 == 0 {
					for range a.All() {
						a.Len()
					}
					_ = a.Cell(k)
				}
			}
		})
	}
	wg.Wait()
	var sum stats.Table
	wg.Go(func() { sum.Merge(&a) })
	wg.Go(func() { sum.Merge(&b) })
	wg.Wait()
	var total stats.Cell
	for _, c := range sum.All() {
		total.Merge(c)
	}
	if total.Passes != 4000 || total.Fails != 4000 || total.Weight != 12000 || sum.Len() != 3 {
		t.Errorf("total %+v in %d cells", total, sum.Len())
	}
	wg.Go(func() { a.Merge(&b) })
	wg.Go(func() { b.Merge(&a) })
	wg.Wait() // ends, and -race is content
	sum.Merge(&sum)
	total = sum.Cell(stats.Key{PromptVersion: "0", Eval: "e"})
	if total.Passes != 2*4*334 {
		t.Errorf("a table merged into itself has %d passes, want twice what it had", total.Passes)
	}
}

func TestTableJSON(t *testing.T) {
	t.Parallel()
	var a stats.Table
	a.Add(stats.Key{PromptName: "triage", PromptVersion: ".3", Eval: "correctness"}, stats.Verdict{Outcome: stats.Fail, Probability: 0.05})
	a.Expect(stats.Key{PromptName: "triage", PromptVersion: ".3", Eval: "correctness"}, 0.05, 1)
	a.Add(stats.Key{}, stats.Verdict{Outcome: stats.Error, Probability: 1})
	b, err := json.Marshal(&a)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"prompt_name":"","prompt_version":"","eval":"","errors":1,"passes":0,"fails":0,"not_applicable":0,"cannot_judge":0,"unweighted":0,` +
		`"weight":0,"weight_squared":0,"pass_weight":0,"pass_weight_squared":0,` +
		`"units":0,"pass_units":0,"fail_units":0,"unit_weight_squared":0,"unit_weight_pass":0,"unit_pass_weight_squared":0,"strata":[],"first":0,"last":0},` +
		`{"prompt_name":"triage","prompt_version":".3","eval":"correctness","errors":0,"passes":0,"fails":1,"not_applicable":0,"cannot_judge":0,"unweighted":0,` +
		`"weight":20,"weight_squared":400,"pass_weight":0,"pass_weight_squared":0,` +
		`"units":1,"pass_units":0,"fail_units":1,"unit_weight_squared":400,"unit_weight_pass":0,"unit_pass_weight_squared":0,` +
		`"strata":[{"probability":0.0625,"events":1,"sampled":1,"decided":1}],"first":0,"last":0}]`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
	var back stats.Table
	back.Add(stats.Key{Eval: "gone"}, stats.Verdict{Outcome: stats.Pass, Probability: 1})
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(contents(&a), contents(&back)); d != "" {
		t.Errorf("read back (-want +got):\n%s", d)
	}
	if b, err := json.Marshal(new(stats.Table)); err != nil || string(b) != "[]" {
		t.Errorf("an empty table is %s, %v", b, err)
	}
	var early stats.Table // than 1970, by a publisher's mistake
	early.Add(stats.Key{Eval: "correctness"}, stats.Verdict{Outcome: stats.Pass, Probability: 1, At: time.Date(1901, 1, 1, 0, 0, 0, 0, time.UTC)})
	if b, err = json.Marshal(&early); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &back); err != nil {
		t.Errorf("a table with a time before 1970 is not read back: %v", err)
	}
	for name, row := range map[string]string{
		"negative count":              `{"errors":-1}`,
		"sum without a verdict":       `{"weight":5,"weight_squared":5}`,
		"verdict without a sum":       `{"passes":1}`,
		"weights below one":           `{"passes":4,"weight":2,"weight_squared":2}`,
		"more passes than weight":     `{"passes":1,"weight":1,"weight_squared":1,"pass_weight":2}`,
		"too large to be true":        `{"passes":9007199254740993,"weight":9007199254740994,"weight_squared":9007199254740994}`,
		"squares too small":           `{"passes":2,"weight":40,"weight_squared":40}`,
		"no units":                    `{"passes":1,"weight":1,"weight_squared":1,"pass_weight":1,"pass_weight_squared":1}`,
		"more units than verdicts":    `{"fails":1,"weight":1,"weight_squared":1,"units":2,"fail_units":2,"unit_weight_squared":1}`,
		"units lighter than verdicts": `{"fails":2,"weight":2,"weight_squared":2,"units":1,"fail_units":1,"unit_weight_squared":1}`,
		"stratum of more verdicts":    `{"fails":1,"weight":1,"weight_squared":1,"units":1,"fail_units":1,"unit_weight_squared":1,"strata":[{"probability":1,"sampled":2,"decided":2}]}`,
		"stratum below zero":          `{"strata":[{"probability":1,"events":-1}]}`,
		"stratum without a rate":      `{"strata":[{"events":1}]}`,
		"no number":                   `{"passes":"x"}`,
	} {
		var bad stats.Table
		if err := json.Unmarshal([]byte("["+row+"]"), &bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestTableIsBounded: a full table counts further verdicts too, and leaves them out of
// comparisons.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	var table stats.Table
	const versions = 12_000
	for i := range versions {
		table.Add(stats.Key{PromptVersion: fmt.Sprint(i), Eval: "e"}, stats.Verdict{Outcome: stats.Fail, Probability: 1})
	}
	if n := table.Len(); n != 10_001 {
		t.Errorf("%d keys, want 10,000 and the other one", n)
	}
	if c := table.Cell(stats.Key{PromptName: stats.Other, PromptVersion: stats.Other, Eval: "e"}); c.Fails != versions-10_000 {
		t.Errorf("%d verdicts under other, want %d", c.Fails, versions-10_000)
	}
	if found := worse(&table, 0.5); len(found) > 0 {
		t.Errorf("worse: %v", found)
	}
}

func FuzzTableJSON(f *testing.F) {
	f.Add(`[{"eval":"e","passes":2,"weight":3,"weight_squared":5,"pass_weight":3,"pass_weight_squared":5}]`)
	f.Add(`[{"prompt_version":"1","fails":40,"weight":800,"weight_squared":16000},{"prompt_version":"2","passes":40,"weight":40,"weight_squared":40,"pass_weight":40,"pass_weight_squared":40}]`)
	f.Add(`[{"passes":1,"weight":1e300,"weight_squared":1}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var table stats.Table
		if json.Unmarshal([]byte(text), &table) != nil {
			return
		}
		for _, c := range table.All() {
			rate, low, high, ok := c.PassRate()
			if ok && !(0 <= low && low <= rate && rate <= high && high <= 1) {
				t.Errorf("%s: rate %g [%g, %g]", strings.TrimSpace(text), rate, low, high)
			}
		}
		for _, c := range stats.Compare(&table, stats.Options{Alpha: 0.5}) {
			if !(c.PValue >= 0 && c.PValue <= 1 && c.SmallestDrop >= 0 && c.SmallestDrop <= 1) {
				t.Errorf("%s: p = %g, smallest drop %g", text, c.PValue, c.SmallestDrop)
			}
		}
	})
}

// TestVerdictsOfOneUnitAreOneUnit: verdicts of one unit are one unit, in any order and beside others, up to
// the number of units that are held apart.
func TestVerdictsOfOneUnitAreOneUnit(t *testing.T) {
	t.Parallel()
	key := stats.Key{PromptVersion: "1", Eval: "tone"}
	var table stats.Table
	for range 3 {
		for _, id := range []string{"a", "b", ""} {
			table.Add(key, stats.Verdict{Outcome: stats.Pass, Probability: 0.5, Unit: id})
			table.Add(stats.Key{Eval: "other"}, stats.Verdict{Outcome: stats.Fail, Probability: 1, Unit: id})
		}
	}
	table.Add(key, stats.Verdict{Outcome: stats.Fail, Probability: 0.5, Unit: "a"})
	table.Add(key, stats.Verdict{Outcome: stats.Error, Probability: 0.5, Unit: "b"})
	want := stats.Cell{
		Errors: 1, Passes: 9, Fails: 1, Weight: 20, WeightSquared: 40, PassWeight: 18, PassWeightSquared: 36,
		Units: 5, PassUnits: 5, FailUnits: 1,
		UnitWeightSquared: 64 + 36 + 3*4, UnitWeightPass: 8*6 + 36 + 3*4, UnitPassWeightSquared: 36 + 36 + 3*4,
		Strata: stats.Strata{1: {Sampled: 10, Decided: 10}}, // a probability of a half
	}
	if d := cmp.Diff(want, table.Cell(key)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, contents(&table)[key]); d != "" {
		t.Errorf("all (-want +got):\n%s", d)
	}
	const many = 45_000
	for _, verdict := range []stats.Outcome{stats.Pass, stats.Fail} {
		for i := range many {
			table.Add(key, stats.Verdict{Outcome: verdict, Probability: 1, Unit: strconv.Itoa(i)})
		}
	}
	if n := table.Cell(key).Units; n != 5+2*many {
		t.Errorf("%d units; want two of each that came back after many others", n)
	}
}
