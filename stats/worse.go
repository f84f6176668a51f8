package stats

import "math"

// MinDecided is the number of decided verdicts that one side of a comparison needs;
// the other needs one. With fewer the test would be valid but find nothing, and every
// comparison costs the others some power.
const MinDecided = 30

// Worse returns the one-sided p-value of the hypothesis that a passes at least as
// often as b. It is small when a fails more often than chance explains. It reports
// false when neither side has [MinDecided] decided verdicts, or one has none, and when
// most events of one side are [Cell.Unseen].
//
// It is the exact test of R. A. Fisher (1935), which holds however rare failures are, on effective
// counts: each side enters with its effective size and its weighted rate, as in
// the correction of J. N. K. Rao and A. J. Scott (1992) for clustered counts.
// With equal weights on each side, and units of one verdict, the counts are the real
// ones and the test is exact. Else they are rounded in favour of a. The agreement
// within units is estimated from both sides together. The factor by which a rate's
// variance exceeds what that explains is estimated for each side and for both
// together, and the larger one counts: a side that happened to see no failure of
// large weight underestimates its own variance. Events that no verdict stands for
// ([Cell.Unseen]) count in favour of a: as passes of a, and as failures of b.
func Worse(a, b Cell) (p float64, ok bool) {
	sizeA, sizeB, ok := effectiveSizes(a, b)
	if !ok {
		return 1, false
	}
	failsA := (1 - a.rate()) * (1 - a.Unseen())
	failsB := 1 - b.rate()*(1-b.Unseen())
	fa, na := roundDown(failsA*sizeA), roundUp(sizeA)
	fb, nb := roundUp(failsB*sizeB), roundDown(sizeB)
	return hypergeometricTail(fa, na, min(fb, nb), nb), true
}

// effectiveSizes returns the sizes of two cells that are compared, or false when they
// cannot be.
func effectiveSizes(a, b Cell) (sizeA, sizeB float64, ok bool) {
	if min(a.Decided(), b.Decided()) == 0 || max(a.Decided(), b.Decided()) < MinDecided || max(a.Unseen(), b.Unseen()) > mostUnseen {
		return 0, 0, false
	}
	agreed, inflation := agreement(a, b), commonInflation(a, b)
	return a.sizeAt(agreed, max(a.inflation(), inflation)), b.sizeAt(agreed, max(b.inflation(), inflation)), true
}

// commonInflation returns Cell.inflation of cells together, each in units of its
// own mean weight, so that the more thinly sampled one does not dominate.
func commonInflation(cells ...Cell) float64 {
	var actual, agreeing float64
	for _, c := range cells {
		mean := c.UnitWeightSquared / c.Weight
		_, together, v := c.variances()
		actual += v / (mean * mean)
		agreeing += together / (mean * mean)
	}
	if agreeing <= 0 {
		return 1
	}
	return actual / agreeing
}

// slack is the rounding error of a count that is a whole number.
const slack = 1e-6

func roundDown(x float64) float64 { return math.Floor(x + slack) }
func roundUp(x float64) float64   { return math.Ceil(x - slack) }

// hypergeometricTail returns the probability that, of fa+fb failures randomly
// distributed over na+nb verdicts, at least fa are among the first na.
func hypergeometricTail(fa, na, fb, nb float64) float64 {
	fails, all := fa+fb, na+nb
	least := max(0, fails-nb)
	if fa <= least {
		return 1
	}
	// Each term is the previous one times a ratio. Beyond the mode terms shrink
	// ever faster, so the sum ends when a term is negligible.
	most := min(fails, na)
	mode := math.Floor((fails + 1) * (na + 1) / (all + 2))
	log := logChoose(fails, fa) + logChoose(all-fails, na-fa) - logChoose(all, na)
	if fa <= mode {
		// The lower tail is the shorter one here.
		return max(0, 1-sumFrom(fa-1, log-math.Log(ratio(fa-1, fails, na, all)), least, -1, fails, na, all))
	}
	return min(1, sumFrom(fa, log, most, 1, fails, na, all))
}

// ratio returns the probability of k+1 failures divided by the probability of k.
func ratio(k, fails, na, all float64) float64 {
	return (fails - k) * (na - k) / ((k + 1) * (all - fails - na + k + 1))
}

// sumFrom adds the probabilities of k, whose logarithm is log, and of the following
// numbers, in steps of +1 or -1 up to end.
func sumFrom(k, log, end, step, fails, na, all float64) float64 {
	term := math.Exp(log)
	sum := term
	for k != end && term > sum*1e-17 {
		if step > 0 {
			term *= ratio(k, fails, na, all)
		} else {
			term /= ratio(k-1, fails, na, all)
		}
		k += step
		sum += term
	}
	return sum
}

func logChoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}
