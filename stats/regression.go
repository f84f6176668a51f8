package stats

import (
	"cmp"
	"slices"
)

// DefaultAlpha bounds the probability that [Regressions] reports anything on a
// table without a regression.
const DefaultAlpha = 0.01

// Regression is a version that passes less often than the other versions of its
// prompt.
type Regression struct {
	PromptName    string `json:"prompt_name"`
	PromptVersion string `json:"prompt_version"` // empty for events without one
	Eval          string `json:"eval"`

	Rate     float64 `json:"rate"`     // pass rate of the version
	Baseline float64 `json:"baseline"` // pass rate of all other versions together
	// Difference is Rate - Baseline, so below zero; Low and High are its 95 %
	// interval, for this comparison alone.
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	// PValue is adjusted for all comparisons that were made.
	PValue float64 `json:"p_value"`
	// Numbers of decided verdicts on either side, unweighted.
	Decided         int64 `json:"decided"`
	BaselineDecided int64 `json:"baseline_decided"`
}

// Regressions returns the versions that an evaluator fails more often than the
// other versions of the same prompt, in ascending order of p-value. The probability
// of any false report on the whole table is at most alpha; an alpha outside of
// (0,1) means [DefaultAlpha]. Comparisons in which a side has fewer than
// [MinDecided] decided verdicts are left out.
//
// A version is reported when it is worse by [Worse] than all others pooled, and
// worse than more than half of the others that have enough verdicts for a
// comparison of their own. The second test is needed when one version is much
// better than the rest: it lifts the pool, and every ordinary version would look
// like a regression. (A much worse version lowers the pool, which makes no other
// look worse.) With two versions both tests are the same.
//
// "Worse than at least u of k others" has the p-value (k-u+1) * p(u), where p(u) is
// the u-th smallest (Y. Benjamini and R. Heller, 2008). The larger p-value of the
// two tests counts. P-values are adjusted over all versions, prompts and evaluators
// by S. Holm's method (1979), which holds under any dependence.
func Regressions(t *Table, alpha float64) []Regression {
	if !(alpha > 0 && alpha < 1) {
		alpha = DefaultAlpha
	}
	var found []Regression
	for _, group := range groups(t) {
		found = append(found, compareGroup(group, alpha)...)
	}
	slices.SortStableFunc(found, func(a, b Regression) int { return cmp.Compare(a.PValue, b.PValue) })
	holm(found)
	end := 0
	for end < len(found) && found[end].PValue <= alpha {
		end++
	}
	return found[:end:end]
}

// groups returns the rows that are compared with each other: those of one prompt
// and one evaluator.
func groups(t *Table) [][]row {
	var out [][]row
	for k, c := range t.All() {
		if k.PromptVersion == Other {
			continue
		}
		n := len(out)
		if n == 0 || out[n-1][0].PromptName != k.PromptName || out[n-1][0].Eval != k.Eval {
			out = append(out, nil)
			n++
		}
		out[n-1] = append(out[n-1], row{k, c})
	}
	return out
}

// compareGroup compares each version of a group with the others. P-values are not
// adjusted yet; those above alpha come from the first test only, because the second
// could only raise them.
func compareGroup(group []row, alpha float64) []Regression {
	// after[i] pools the versions from i on; before pools those that precede i.
	after := make([]Cell, len(group)+1)
	for i := len(group) - 1; i >= 0; i-- {
		after[i] = after[i+1]
		after[i].Merge(group[i].Cell)
	}
	var before Cell
	var out []Regression
	for i, v := range group {
		rest := before
		rest.Merge(after[i+1])
		before.Merge(v.Cell)
		p, ok := Worse(v.Cell, rest)
		if !ok {
			continue
		}
		if p <= alpha {
			p = max(p, worseThanMost(worseOneByOne(group, i)))
		}
		r := Regression{
			PromptName: v.PromptName, PromptVersion: v.PromptVersion, Eval: v.Eval,
			Rate: v.rate(), Baseline: rest.rate(), PValue: p, Decided: v.Decided(), BaselineDecided: rest.Decided(),
		}
		r.Difference, r.Low, r.High, _ = Difference(v.Cell, rest)
		out = append(out, r)
	}
	return out
}

// worseOneByOne returns the p-values of version i against each other version with
// enough verdicts.
func worseOneByOne(group []row, i int) []float64 {
	var ps []float64
	for j := range group {
		if p, ok := Worse(group[i].Cell, group[j].Cell); ok && j != i {
			ps = append(ps, p)
		}
	}
	return ps
}

// worseThanMost combines the p-values of single comparisons into one for "worse
// than more than half"; 0 when there are none.
func worseThanMost(ps []float64) float64 {
	k := len(ps)
	if k == 0 {
		return 0
	}
	u := k/2 + 1
	slices.Sort(ps)
	return min(1, float64(k-u+1)*ps[u-1])
}

// holm adjusts p-values, which are in ascending order, by Holm's method.
func holm(rs []Regression) {
	var least float64
	for i := range rs {
		least = max(least, min(1, float64(len(rs)-i)*rs[i].PValue))
		rs[i].PValue = least
	}
}
