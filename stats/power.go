package stats

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mathext"
)

// power is how often SmallestDrop is found.
const power = 0.8

// baselinePoints is the number of outcomes of the baseline that stand for all.
const baselinePoints = 11

// smallestDrop returns the smallest drop of a below the rate of b that [Worse] finds at
// level alpha with the probability power; 0 when even a rate of 0 would not be found.
//
// It is the power of the test itself and of no approximation to it, because the usual
// ones promise too much where failures are rare: the failures of both sides are binomial
// in their effective sizes, with the rate of b as it was seen, and unseen events counted
// as Worse counts them. For each of some equally likely numbers of failures of b there is
// a number of failures of a from which the p-value is at most alpha.
func smallestDrop(a, b Cell, alpha float64) float64 {
	sizeA, sizeB, ok := effectiveSizes(a, b)
	if !ok {
		return 0
	}
	na, nb := roundUp(sizeA), roundDown(sizeB)
	failing := 1 - b.rate()*(1-b.Unseen())
	var needed [baselinePoints]float64
	for i := range needed {
		at := (float64(i) + 0.5) / baselinePoints
		needed[i] = failuresNeeded(na, binomialQuantile(nb, failing, at), nb, alpha)
	}
	found := func(drop float64) bool {
		share := 1 - (b.rate()-drop)*(1-a.Unseen())
		sum := 0.0
		for _, k := range needed {
			sum += binomialTail(na, share, k)
		}
		return sum >= power*baselinePoints
	}
	if !found(b.rate()) {
		return 0
	}
	none, all := 0.0, b.rate()
	for range 20 { // to a ten-thousandth of a point
		if middle := (none + all) / 2; found(middle) {
			all = middle
		} else {
			none = middle
		}
	}
	return all
}

// failuresNeeded returns the smallest number of failures among na verdicts of which the
// p-value is at most alpha, against fb of nb; na+1 when there is none.
func failuresNeeded(na, fb, nb, alpha float64) float64 {
	return float64(sort.Search(int(na)+1, func(fa int) bool {
		return hypergeometricTail(float64(fa), na, fb, nb) <= alpha
	}))
}

// binomialTail returns the probability of k successes or more in n trials.
func binomialTail(n, p, k float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return mathext.RegIncBeta(k, n-k+1, p)
}

// binomialQuantile returns the smallest number of successes in n trials that is reached
// or stayed below with a probability of at least q.
func binomialQuantile(n, p, q float64) float64 {
	// Ten standard deviations around the mean hold all that matters.
	spread := 10*math.Sqrt(n*p*(1-p)) + 10
	low := math.Floor(max(0, n*p-spread))
	high := math.Ceil(min(n, n*p+spread))
	return low + float64(sort.Search(int(high-low), func(i int) bool {
		return 1-binomialTail(n, p, low+float64(i)+1) >= q
	}))
}
