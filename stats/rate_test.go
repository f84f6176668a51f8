package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// drawUnits draws units of several verdicts. A share of the units fails or passes as a
// whole, the others verdict by verdict; half of the units weigh 1 and half 20 when
// mixed.
func drawUnits(r *rand.Rand, verdicts, size int, fails, asOne float64, mixed bool) (c Cell) {
	for range verdicts / size {
		p := 1.0
		if mixed && r.IntN(2) == 0 {
			p = 0.05
		}
		var u unit
		together, whole := r.Float64() < asOne, r.Float64() < fails
		for range size {
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

// TestCoverageOfUnits: the interval keeps its promise when verdicts come in traces or
// sessions that have a cause in common, without knowing how much.
func TestCoverageOfUnits(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3, 5, 10, 20} {
		for _, asOne := range []float64{0, 0.3, 1} {
			for _, draw := range []struct{ verdicts, runs int }{{200, 2000}, {1000, 1000}, {10_000, 300}} {
				for _, mixed := range []bool{false, true} {
					name := fmt.Sprintf("units of %d, %.0f %% as one, %d verdicts, mixed weights %t", size, 100*asOne, draw.verdicts, mixed)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						const fails = 0.1
						r := rand.New(rand.NewPCG(12, uint64(size)))
						held := 0.0
						for range draw.runs {
							_, low, high, _ := drawUnits(r, draw.verdicts, size, fails, asOne, mixed).PassRate()
							if low <= 1-fails && 1-fails <= high {
								held++
							}
						}
						runs := float64(draw.runs)
						least := 0.93 - 3*math.Sqrt(0.93*0.07/runs) // three standard deviations below 93 %
						t.Logf("coverage %.3f", held/runs)
						if held/runs < least {
							t.Errorf("coverage %.3f; want at least %.3f", held/runs, least)
						}
					})
				}
			}
		}
	}
}

// TestShare: a share of equal things has the interval of as many verdicts that were all
// sampled.
func TestShare(t *testing.T) {
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
