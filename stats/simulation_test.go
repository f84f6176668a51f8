package stats

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The simulations of this file hold what the package promises, and write the tables of
// docs/reading-results.md:
//
//	go test ./stats -run TestSimulatedPromises -update
var update = flag.Bool("update", false, "write the simulated tables into docs/reading-results.md")

const page = "../docs/reading-results.md"

// TestSimulatedPromises: 95 % intervals contain the true rate in 93 % of samples or
// more, and at most one table in a hundred in which no version is worse has an alarm,
// in every row of what follows; and the tables of docs/reading-results.md are these.
// Each row has a random source of its own, so it is the same in any order of the rows.
func TestSimulatedPromises(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("simulations take half a minute")
	}
	t.Parallel()
	var wg sync.WaitGroup
	tables := make([]string, 3)
	for i, simulate := range []func(*testing.T, func(func())) func() string{coverageOfUnits, coverageOfUnseen, falseAlarms} {
		wg.Go(func() {
			var rows sync.WaitGroup
			free := make(chan struct{}, runtime.GOMAXPROCS(0))
			write := simulate(t, func(row func()) {
				rows.Go(func() {
					free <- struct{}{}
					defer func() { <-free }()
					row()
				})
			})
			rows.Wait()
			tables[i] = write()
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	compareWithPage(t, tables)
}

// compareWithPage compares the tables with those of the page, or writes them there.
func compareWithPage(t *testing.T, tables []string) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i, table := range tables {
		begin, end := fmt.Sprintf("<!-- simulated: %d -->\n", i+1), "<!-- end -->"
		before, rest, ok := strings.Cut(text, begin)
		old, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no table %d", page, i+1)
		}
		// Other processors round sums in another way, which may change the last digits.
		if old != table && runtime.GOARCH == "amd64" && !*update {
			t.Errorf("table %d of %s is\n%s\nwant\n%s", i+1, page, old, table)
		}
		text = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// weights say how verdicts are sampled.
type weights int

const (
	equalWeights  weights = iota
	mixedUnits            // half of the units have weight 1, half weight 20
	mixedVerdicts         // half of the verdicts have weight 1, half weight 20
)

// drawUnits draws units of several verdicts. A share of the units fails or passes as a
// whole, the others verdict by verdict.
func drawUnits(r *rand.Rand, verdicts, size int, fails, asOne float64, w weights) (c Cell) {
	probability := func(when weights, p float64) float64 {
		switch {
		case w != when:
			return p
		case r.IntN(2) == 0:
			return 0.05
		}
		return 1
	}
	for range verdicts / size {
		p := probability(mixedUnits, 1)
		var u unit
		together, whole := r.Float64() < asOne, r.Float64() < fails
		for range size {
			p = probability(mixedVerdicts, p)
			failed := whole
			if !together {
				failed = r.Float64() < fails
			}
			o := Pass
			if failed {
				o = Fail
			}
			u.add(o, c.count(o, p))
		}
		c.close(u)
	}
	return c
}

// stratum is the traffic of one sampling rule.
type stratum struct {
	share       float64 // of all events
	fails       float64 // probability of a failure
	probability float64 // of being sampled
}

// drawStrata draws events, which the cell expects, and adds those that are sampled.
func drawStrata(r *rand.Rand, events int, strata ...stratum) (c Cell) {
	for range events {
		u, s := r.Float64(), strata[len(strata)-1]
		for _, candidate := range strata {
			if u < candidate.share {
				s = candidate
				break
			}
			u -= candidate.share
		}
		failed := r.Float64() < s.fails
		c.Expect(s.probability)
		switch {
		case r.Float64() >= s.probability:
		case failed:
			c.Add(Fail, s.probability)
		default:
			c.Add(Pass, s.probability)
		}
	}
	return c
}

func passRate(strata []stratum) (rate float64) {
	for _, s := range strata {
		rate += s.share * (1 - s.fails)
	}
	return rate
}

// leastCoverage is the promise.
const leastCoverage = 0.93

// coverageOfUnits: the interval keeps its promise when verdicts come in traces or
// sessions that have a cause in common, without knowing how much.
func coverageOfUnits(t *testing.T, run func(row func())) func() string {
	sizes, shares := []int{1, 3, 5, 10, 20}, []float64{0, 0.3, 1}
	var mu sync.Mutex
	low, high := map[string]float64{}, map[string]float64{} // guarded by mu
	for _, size := range sizes {
		for _, asOne := range shares {
			for _, fails := range []float64{0.02, 0.1, 0.3} {
				for _, draw := range []struct{ verdicts, runs int }{{200, 2000}, {1000, 1000}, {10_000, 1000}} {
					for _, w := range []weights{equalWeights, mixedUnits, mixedVerdicts} {
						if draw.verdicts == 10_000 && (fails == 0.3 || w == mixedVerdicts || fails == 0.02 && w == equalWeights) {
							continue // as good as the others, and slow
						}
						run(func() {
							r := rand.New(rand.NewPCG(uint64(size), uint64(draw.verdicts)))
							held := 0.0
							for range draw.runs {
								_, from, to, ok := drawUnits(r, draw.verdicts, size, fails, asOne, w).PassRate()
								if ok && from <= 1-fails && 1-fails <= to {
									held++
								}
							}
							held /= float64(draw.runs)
							if held < leastCoverage {
								t.Errorf("coverage %.4f of units of %d, %.0f %% as one, %.0f %% failing, %d verdicts, weights %d; want at least %.2f",
									held, size, 100*asOne, 100*fails, draw.verdicts, w, leastCoverage)
							}
							mu.Lock()
							defer mu.Unlock()
							key := fmt.Sprint(size, asOne)
							if _, ok := low[key]; !ok {
								low[key] = 1
							}
							low[key], high[key] = min(low[key], held), max(high[key], held)
						})
					}
				}
			}
		}
	}
	return func() string {
		var b strings.Builder
		b.WriteString("| verdicts in a unit | failing apart | 30 % as one | all as one |\n|---|---|---|---|\n")
		for _, size := range sizes {
			fmt.Fprintf(&b, "| %d |", size)
			for _, asOne := range shares {
				key := fmt.Sprint(size, asOne)
				fmt.Fprintf(&b, " %.1f - %.1f %% |", 100*low[key], 100*high[key])
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
}

// coverageOfUnseen: the interval keeps its promise, or is withheld, when one sampling
// rate is so low that few or none of its events are drawn.
func coverageOfUnseen(t *testing.T, run func(row func())) func() string {
	rows := []struct {
		name   string
		events int
		strata []stratum
	}{
		{"2 % of 1000 events all kept, the rest at 0.001, failing alike", 1000, []stratum{{0.02, 0.05, 1}, {0.98, 0.05, 0.001}}},
		{"the same, half of those kept fail", 1000, []stratum{{0.02, 0.5, 1}, {0.98, 0.02, 0.001}}},
		{"failures kept: those kept all fail", 1000, []stratum{{0.02, 1, 1}, {0.98, 0, 0.001}}},
		{"failures kept, 3000 events", 3000, []stratum{{0.02, 1, 1}, {0.98, 0.1, 0.001}}},
		{"failures kept, 10,000 events", 10_000, []stratum{{0.02, 1, 1}, {0.98, 0.1, 0.001}}},
		{"5 % of 1000 events at 0.01, which all fail", 1000, []stratum{{0.95, 0.05, 0.5}, {0.05, 1, 0.01}}},
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		run(func() {
			r := rand.New(rand.NewPCG(51, uint64(i)))
			const runs = 1000
			held, printed, truth := 0.0, 0.0, passRate(row.strata)
			for range runs {
				if _, low, high, ok := drawStrata(r, row.events, row.strata...).PassRate(); ok {
					printed++
					if low <= truth && truth <= high {
						held++
					}
				}
			}
			if held/printed < leastCoverage {
				t.Errorf("%s: coverage %.4f; want at least %.2f", row.name, held/printed, leastCoverage)
			}
			lines[i] = fmt.Sprintf("| %s | %.0f %% | %.1f %% |\n", row.name, 100*printed/runs, 100*held/printed)
		})
	}
	return func() string {
		return "| sampling | a rate is printed | its interval holds |\n|---|---|---|\n" + strings.Join(lines, "")
	}
}

// falseAlarms: of tables in which no version is worse, at most one in a hundred raises
// an alarm.
func falseAlarms(t *testing.T, run func(row func())) func() string {
	type row struct {
		name string
		runs int
		opts Options
		draw func(r *rand.Rand, t *Table)
	}
	rates := []float64{0.01, 0.02, 0.05, 0.1, 0.1, 0.2, 0.3} // of seven evaluators
	units := func(versions, size int, asOne float64, w weights) func(*rand.Rand, *Table) {
		return func(r *rand.Rand, t *Table) {
			for v := range versions {
				for e, fails := range rates {
					t.Put(Key{PromptVersion: strconv.Itoa(v), Eval: strconv.Itoa(e)}, drawUnits(r, 400, size, fails, asOne, w))
				}
			}
		}
	}
	strata := func(events []int, strata ...stratum) func(*rand.Rand, *Table) {
		return func(r *rand.Rand, t *Table) {
			for v, n := range events {
				t.Put(Key{PromptVersion: strconv.Itoa(v)}, drawStrata(r, n, strata...))
			}
		}
	}
	var rows []row
	for i, versions := range []int{2, 5, 20} {
		runs := []int{2000, 1000, 200}[i]
		for _, kind := range []struct {
			name  string
			size  int
			asOne float64
			w     weights
		}{
			{"each verdict apart", 1, 0, equalWeights},
			{"weights of 1 and 20", 1, 0, mixedVerdicts},
			{"sessions of 5 that fail as one", 5, 1, equalWeights},
			{"sessions of 10, 30 % as one, weights of 1 and 20", 10, 0.3, mixedUnits},
		} {
			rows = append(rows, row{fmt.Sprintf("%d versions, 7 evaluators, %s", versions, kind.name), runs, Options{}, units(versions, kind.size, kind.asOne, kind.w)})
		}
	}
	rows = append(rows,
		row{"5 models, 7 evaluators, each against all others (`--by`)", 1000, Options{Unordered: true}, units(5, 1, 0, equalWeights)},
		row{"3 versions, failures of 1.1 %", 4000, Options{}, strata([]int{667, 667, 667}, stratum{1, 0.011, 1})},
		row{"a new version with little traffic", 4000, Options{}, strata([]int{2000, 60}, stratum{1, 0.05, 1})},
		row{"versions sampled at different rates", 2000, Options{}, func(r *rand.Rand, t *Table) {
			for v, one := range []struct {
				events int
				rate   float64
			}{{3000, 0.05}, {1000, 0.5}, {300, 1}} {
				t.Put(Key{PromptVersion: strconv.Itoa(v)}, drawStrata(r, one.events, stratum{1, 0.1, one.rate}))
			}
		}},
		row{"failures all kept, the rest sampled", 1000, Options{}, strata([]int{1500, 1500, 1500}, stratum{0.05, 0.5, 1}, stratum{0.95, 0.03, 0.1})},
		row{"failures of large weight, rarely seen", 1000, Options{}, strata([]int{4000, 4000}, stratum{0.9, 0.01, 1}, stratum{0.1, 0.3, 0.02})},
		row{"failures where the sample is thin", 1000, Options{}, strata([]int{3000, 3000}, stratum{0.5, 0.002, 1}, stratum{0.5, 0.05, 0.05})},
		row{"2 % all kept, the rest at 0.001", 1000, Options{}, strata([]int{2000, 2000}, stratum{0.02, 0.5, 1}, stratum{0.98, 0.05, 0.001})},
	)
	alarms := make([]int, len(rows))
	for i, row := range rows {
		run(func() {
			r := rand.New(rand.NewPCG(21, uint64(i)))
			for range row.runs {
				var table Table
				row.draw(r, &table)
				for _, c := range Compare(&table, row.opts) {
					if c.Worse {
						alarms[i]++
						break
					}
				}
			}
			if share := float64(alarms[i]) / float64(row.runs); share > DefaultAlpha {
				t.Errorf("%s: %d of %d tables raise an alarm, %.2f %%; want at most 1 %%", row.name, alarms[i], row.runs, 100*share)
			}
		})
	}
	return func() string {
		var b strings.Builder
		b.WriteString("| tables in which no version is worse | with an alarm |\n|---|---|\n")
		for i, row := range rows {
			fmt.Fprintf(&b, "| %s | %d of %d |\n", row.name, alarms[i], row.runs)
		}
		return b.String()
	}
}
