package demo

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindsTheBrokenVersion: for all seeds the statistics find the broken version and no
// other, and nothing if all versions are alike. 2 % of the runs may be wrong: 1 % for
// false alarms (stats.DefaultAlpha), and the rest for regressions hidden by chance.
func TestFindsTheBrokenVersion(t *testing.T) {
	t.Parallel()
	seeds := 100
	if testing.Short() || slow {
		seeds = 10
	}
	for name, want := range map[string][]string{"regressed": {"2026-06-01.3"}, "healthy": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name)
			if diff := cmp.Diff(want, w.scenario.BrokenVersions()); diff != "" {
				t.Fatalf("what the scenario says is broken (-want +got):\n%s", diff)
			}
			var mu sync.Mutex
			right, by := 0, map[string]int{} // guarded by mu
			t.Cleanup(func() {
				t.Logf("%d of %d seeds right; findings by evaluator: %v", right, seeds, by)
				if wrong := seeds - right; wrong > seeds/50 {
					t.Errorf("%d of %d seeds are wrong", wrong, seeds)
				}
			})
			for seed := range seeds {
				t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
					t.Parallel()
					tables := w.tables(t, uint64(seed+1), DefaultConfig().Events)
					var got []string
					mu.Lock()
					defer mu.Unlock()
					for _, r := range tables.Regressions {
						by[r.PromptVersion+" "+r.Eval]++
						got = append(got, r.PromptVersion)
					}
					slices.Sort(got)
					if got = slices.Compact(got); slices.Equal(got, want) {
						right++
					} else {
						t.Logf("found %v, want %v", got, want)
					}
				})
			}
		})
	}
}
