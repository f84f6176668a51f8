package stats

import (
	"math"
	"testing"
)

// TestAShareHasTheIntervalOfEqualVerdicts: a share of equal things has the interval of as many verdicts that were all
// sampled.
func TestAShareHasTheIntervalOfEqualVerdicts(t *testing.T) {
	t.Parallel()
	if _, _, _, ok := Share(0, 0); ok {
		t.Error("a share of nothing is known")
	}
	for _, n := range []int{1, 7, 400} {
		for _, some := range []int{0, 1, n / 2, n} {
			var c Cell
			for i := range n {
				o := Fail
				if i < some {
					o = Pass
				}
				c.Add(o, 1)
			}
			rate, low, high, _ := c.PassRate()
			got, from, to, ok := Share(some, n)
			if !ok || math.Abs(got-rate) > 1e-9 || math.Abs(from-low) > 1e-9 || math.Abs(to-high) > 1e-9 {
				t.Errorf("%d of %d: %v in [%v, %v], want %v in [%v, %v]", some, n, got, from, to, rate, low, high)
			}
		}
	}
}
