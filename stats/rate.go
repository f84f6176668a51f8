package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// PassRate estimates the share of passes among all events that could be decided,
// with a 95 % interval. It reports false without a weighted verdict, and when most of
// the events are [Cell.Unseen].
//
// The rate is the ratio estimate of J. Hajek (1971). The interval is the exact one for a proportion
// (C. J. Clopper and E. S. Pearson, 1934) with n = EffectiveSize, which need not be
// whole, as E. L. Korn and B. I. Graubard propose for surveys (1998). It holds for
// rates near 0 and 1, where failures are rare. It reaches from where all unseen events
// fail to where all of them pass (C. F. Manski, 1989).
func (c Cell) PassRate() (rate, low, high float64, ok bool) {
	unseen := c.Unseen()
	if c.Weight <= 0 || unseen > mostUnseen {
		return 0, 0, 0, false
	}
	rate = c.rate()
	low, high = exactInterval(rate, c.EffectiveSize())
	return rate, low * (1 - unseen), high*(1-unseen) + unseen, true
}

// mostUnseen is the largest share of events without a verdict with which a cell has a
// rate: beyond it the rate would be that of a minority.
const mostUnseen = 0.5

// Share returns the share that some have among n independent, equally weighted things,
// with its exact 95 % interval (C. J. Clopper and E. S. Pearson, 1934) as in [Cell.PassRate]. It reports false for none of none.
func Share(some, n int) (share, low, high float64, ok bool) {
	if n <= 0 {
		return 0, 0, 0, false
	}
	share = float64(some) / float64(n)
	low, high = exactInterval(share, float64(n))
	return share, low, high, true
}

// EffectiveSize returns the number of independent, equally weighted verdicts with as
// much information about the pass rate as these; 0 when there are none.
//
// Two things cost information. Unequal weights: sum(w)^2 / sum(w*w) verdicts remain
// (L. Kish, Survey Sampling, 1965). And verdicts that agree within a unit: if all of
// a unit agree, sum(W)^2 / sum(W*W) remain, with W for a unit's weight. The
// inverse size is interpolated between the two by the agreement within units, which
// is estimated; see [agreement]. With equal weights and units of one size that is the
// design effect 1 + (m-1)*rho of L. Kish.
//
// Both assume that weights and outcomes are independent. Rules that keep all of
// some traffic and little of the rest break that. Where the linearised variance of
// the Hajek estimate over units (R. S. Woodruff, 1971; D. A. Binder, 1983),
//
//	V = sum((P - r*W)^2) / sum(W)^2,
//
// is larger than even full agreement explains, the size shrinks by that factor.
func (c Cell) EffectiveSize() float64 {
	if c.Weight <= 0 {
		return 0
	}
	return c.sizeAt(agreement(c), c.inflation())
}

func (c Cell) sizeAt(agreement, inflation float64) float64 {
	apart, together := c.WeightSquared, c.UnitWeightSquared
	return c.Weight * c.Weight / (apart + agreement*(together-apart)) / max(1, inflation)
}

func (c Cell) rate() float64 { return min(max(c.PassWeight/c.Weight, 0), 1) }

// variances returns what V would be if the verdicts of a unit had nothing to do with
// each other, if all of them agreed, and what it is; all times sum(w)^2.
func (c Cell) variances() (apart, together, actual float64) {
	r := c.rate()
	actual = c.UnitPassWeightSquared - 2*r*c.UnitWeightPass + r*r*c.UnitWeightSquared
	return r * (1 - r) * c.WeightSquared, r * (1 - r) * c.UnitWeightSquared, max(actual, 0)
}

// priorUnits is how many units with a failure the assumption of full agreement is
// worth. With fewer of them than this, V says little: with 8, intervals held in 87 of 100
// samples in which a few heavy units of 20 failed as one among many that failed apart
// (the simulation of simulation_test.go).
const priorUnits = 20

// agreement returns how much the verdicts of a unit agree, from 0 for not at all to
// 1 for always, in all cells together. It starts from full agreement, which is the
// safe assumption, and moves to what the variances show as units with a failure, or
// with a pass where these are fewer, are seen.
func agreement(cells ...Cell) float64 {
	seen, estimate := 0.0, 0.0
	for _, c := range cells {
		apart, together, actual := c.variances()
		if excess := together - apart; excess > slack*together { // some units have several verdicts
			n := float64(min(c.PassUnits, c.FailUnits))
			estimate += n * min(max((actual-apart)/excess, 0), 1)
			seen += n
		}
	}
	return (estimate + priorUnits) / (seen + priorUnits)
}

// inflation returns by which factor V exceeds what full agreement explains; 1 when
// that cannot be estimated.
func (c Cell) inflation() float64 {
	_, together, actual := c.variances()
	if together <= 0 {
		return 1
	}
	return actual / together
}

// confidence is the two-sided confidence of all intervals.
const confidence = 0.95

// exactInterval returns the exact interval of a rate seen in n trials; n need not be
// whole.
func exactInterval(rate, n float64) (low, high float64) {
	const tail = (1 - confidence) / 2
	passes := rate * n
	low, high = 0, 1
	if fails := n - passes; passes > slack {
		low = mathext.InvRegIncBeta(passes, fails+1, tail)
	}
	if fails := n - passes; fails > slack {
		high = mathext.InvRegIncBeta(passes+1, fails, 1-tail)
	}
	return min(low, rate), max(high, rate)
}

// Difference estimates the pass rate of a minus the pass rate of b, with a 95 %
// interval from the intervals of both, combined as by R. G. Newcombe (1998, method
// 10). It reports false when either is unknown.
func Difference(a, b Cell) (difference, low, high float64, ok bool) {
	ra, lowA, highA, okA := a.PassRate()
	rb, lowB, highB, okB := b.PassRate()
	if !okA || !okB {
		return 0, 0, 0, false
	}
	difference = ra - rb
	return difference, difference - math.Hypot(ra-lowA, highB-rb), difference + math.Hypot(highA-ra, rb-lowB), true
}
