package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// confidence of all intervals, two-sided.
const confidence = 0.95

// z returns the normal quantile of confidence: 1.95996.
func z() float64 { return mathext.NormalQuantile(1 - (1-confidence)/2) }

// wilson returns the score interval of a rate seen in n trials; n need not be whole.
func wilson(rate, n float64) (low, high float64) {
	z2 := z() * z()
	center := (rate + z2/(2*n)) / (1 + z2/n)
	half := math.Sqrt(z2) / (1 + z2/n) * math.Sqrt(rate*(1-rate)/n+z2/(4*n*n))
	// At the edges the formula yields 0 and 1, except for rounding.
	return min(max(center-half, 0), rate), max(min(center+half, 1), rate)
}

// Difference estimates by how much the pass rate of a exceeds that of b, negative
// when a is worse, with a 95 % interval made of both Wilson intervals
// (R. G. Newcombe, 1998, method 10). It reports false when either is unknown.
func Difference(a, b Cell) (difference, low, high float64, ok bool) {
	ra, lowA, highA, okA := a.PassRate()
	rb, lowB, highB, okB := b.PassRate()
	if !okA || !okB {
		return 0, 0, 0, false
	}
	difference = ra - rb
	return difference, difference - math.Hypot(ra-lowA, highB-rb), difference + math.Hypot(highA-ra, rb-lowB), true
}
