package stats

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// DefaultAlpha bounds the probability that [Compare] calls anything worse on a table
// in which all versions are alike.
const DefaultAlpha = 0.01

// Options say what [Compare] compares.
type Options struct {
	// Baseline is the version that all others are compared with; empty: each version is
	// compared with the one before it.
	Baseline string
	// Unordered says that the versions have no order in time, such as models or features:
	// without a Baseline each is compared with all others together, and only so.
	Unordered bool
	// Alpha bounds the probability of any false report on the whole table; outside of
	// (0,1): [DefaultAlpha].
	Alpha float64
}

// Against says what a version is compared with.
type Against string

// What a version is compared with.
const (
	AgainstBaseline Against = "baseline" // one other version: the given one, or the one before it
	AgainstOthers   Against = "others"   // all other versions of the prompt together
)

// Why a version was not compared.
const (
	OnlyVersion    = "only version"    // its prompt has no other
	FirstVersion   = "first version"   // there is none before it with a verdict
	IsBaseline     = "baseline"        // it is the version that the others are compared with
	NoBaseline     = "no baseline"     // the given baseline has no verdict of this evaluator
	NothingDecided = "nothing decided" // neither pass nor fail
	TooFew         = "too few decided" // fewer than MinDecided on both sides
	MostUnseen     = "most unseen"     // most events of one side are [Cell.Unseen]
)

// Comparison is one question about one version: does it pass less often?
type Comparison struct {
	PromptName    string `json:"prompt_name"`
	PromptVersion string `json:"prompt_version"` // empty for events without one
	Eval          string `json:"eval"`

	Against         Against `json:"against"`
	BaselineVersion string  `json:"baseline_version"` // of AgainstBaseline
	// ByName says that only its name tells that BaselineVersion is the one before: both
	// began together, or the time of a version of the prompt is not known.
	ByName bool `json:"by_name"`
	// Order is the place of the version, from 0, among those of its prompt that Eval ran on,
	// in the order of time.
	Order int `json:"order"`
	// NotCompared says why there is no answer; the numbers below are then 0, and null in
	// JSON, except Decided, and Rate where it is known.
	NotCompared string `json:"not_compared"`

	Rate     float64 `json:"rate"`     // pass rate of the version
	Baseline float64 `json:"baseline"` // pass rate of what it is compared with
	// Difference is Rate - Baseline; Low and High are its 95 % interval, for this
	// comparison alone.
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	// PValue is adjusted for all comparisons of the table.
	PValue float64 `json:"p_value"`
	// Worse says that the version passes less often, beyond chance.
	Worse bool `json:"worse"`
	// SmallestDrop is the smallest drop of the pass rate below Baseline that this much
	// data shows in four cases of five (J. Cohen, 1988); 0 when no drop is large enough.
	SmallestDrop float64 `json:"smallest_drop"`
	// Numbers of decided verdicts on either side, unweighted.
	Decided         int64 `json:"decided"`
	BaselineDecided int64 `json:"baseline_decided"`
}

// Compare answers two questions about each version: does it pass less often than its
// baseline, and less often than all other versions of its prompt together? It returns
// the comparisons that were made, in ascending order of p-value, and then those that
// could not be made, with the reason. The probability that any is called worse on a
// table of versions that are alike is at most Options.Alpha.
//
// The baseline of a version is the last one before it that has [MinDecided] decided
// verdicts, or any when none has so many, and of which most events are not unseen. A
// version that is itself worse than its baseline is passed over, so that two bad releases in a row are both found. Versions
// are in the order of their first events, so one that comes back keeps its place. Those
// that began within 1 % of the shorter of their times, and all of a prompt when the time
// of one is not known, are in the order of their names (Comparison.ByName).
//
// The second question is asked when a prompt has three versions or more, and is the only
// one about values without an order (Options.Unordered). A version is
// worse than the others when it is worse by [Worse] than all of them pooled, and worse
// than more than half of those that can be compared with it one by one. The second
// test is needed when one version is much better than the rest: it lifts the pool, and
// every ordinary version would look worse. "Worse than at least u of k others" has the
// p-value (k-u+1) * p(u), where p(u) is the u-th smallest (Y. Benjamini and R. Heller,
// 2008). The larger p-value of the two tests counts.
//
// P-values are adjusted over all versions, prompts, evaluators and both questions by
// S. Holm's method (1979), which holds under any dependence. They are valid for one
// look at the data.
func Compare(t *Table, opts Options) []Comparison {
	alpha := opts.Alpha
	if !(alpha > 0 && alpha < 1) {
		alpha = DefaultAlpha
	}
	var made, unmade []Comparison
	var sides [][2]Cell // of made
	for _, group := range groups(t) {
		for i, q := range group.questions(opts, alpha) {
			q.Order = i % len(group) // each question is asked of all versions
			if q.NotCompared != "" {
				unmade = append(unmade, q.Comparison)
				continue
			}
			made, sides = append(made, q.Comparison), append(sides, q.sides)
		}
	}
	for i := range made {
		made[i].SmallestDrop = smallestDrop(sides[i][0], sides[i][1], alpha/float64(len(made)))
	}
	slices.SortStableFunc(made, func(a, b Comparison) int { return cmp.Compare(a.PValue, b.PValue) })
	holm(made)
	for i := range made {
		made[i].Worse = made[i].PValue <= alpha
	}
	return append(made, unmade...)
}

// question is a comparison with the cells of its two sides.
type question struct {
	Comparison
	sides [2]Cell
}

// ask returns the question of v against another cell. Its p-value is not adjusted yet.
func ask(v row, against Against, baseline string, other Cell) question {
	q := question{Comparison{
		PromptName: v.PromptName, PromptVersion: v.PromptVersion, Eval: v.Eval,
		Against: against, BaselineVersion: baseline, Decided: v.Decided(),
	}, [2]Cell{v.Cell, other}}
	if v.Decided() == 0 {
		q.NotCompared = NothingDecided
		return q
	}
	if max(v.Unseen(), other.Unseen()) > mostUnseen {
		q.NotCompared = MostUnseen
		return q
	}
	q.Rate = v.rate()
	p, ok := Worse(v.Cell, other)
	if !ok {
		q.NotCompared = TooFew
		return q
	}
	q.Baseline, q.BaselineDecided, q.PValue = other.rate(), other.Decided(), p
	q.Difference, q.Low, q.High, _ = Difference(v.Cell, other)
	return q
}

func unasked(v row, against Against, why string) question {
	q := question{Comparison: Comparison{
		PromptName: v.PromptName, PromptVersion: v.PromptVersion, Eval: v.Eval,
		Against: against, NotCompared: why, Decided: v.Decided(),
	}}
	if v.Decided() > 0 && v.Unseen() <= mostUnseen {
		q.Rate = v.rate()
	}
	return q
}

// versions are the rows that are compared with each other: those of one prompt and
// one evaluator, in order of time.
type versions []row

func groups(t *Table) []versions {
	var out []versions
	// A version begins with its first event, not with the first one that a thinly sampled
	// evaluator saw.
	type version struct{ prompt, version string }
	times := map[version]*Cell{}
	for k, c := range t.All() {
		v := version{k.PromptName, k.PromptVersion}
		if times[v] == nil {
			times[v] = new(Cell)
		}
		times[v].Merge(c)
	}
	for k, c := range t.All() {
		seen := times[version{k.PromptName, k.PromptVersion}]
		c.First, c.Last = seen.First, seen.Last
		if seen.Count() == 0 { // no verdict tells when it began
			c.First, c.Last = math.MaxInt64, math.MaxInt64
		}
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
	for _, group := range out {
		group.sort()
	}
	return out
}

// together is the share of the shorter of their times within which two versions began
// together, as those of an experiment do.
const together = 0.01

// sort orders the versions by the time of their first event, and those that began
// together, or all when the time of one is not known, by name: numbers in a name by their
// value. Versions that are in the order of their names have the same First afterwards.
func (vs versions) sort() {
	slices.SortStableFunc(vs, func(a, b row) int { return cmp.Compare(a.First, b.First) })
	unknown := vs[0].First == 0
	for start := 0; start < len(vs); {
		first, end := vs[start], start+1
		for end < len(vs) && (unknown || vs[end].First-first.First <= vs[end].near(first)) {
			end++
		}
		slices.SortFunc(vs[start:end], func(a, b row) int { return CompareNames(a.PromptVersion, b.PromptVersion) })
		for i := range vs[start:end] {
			vs[start+i].First = first.First
		}
		start = end
	}
}

// near returns the time between the first events of two versions, in milliseconds, up to
// which they began together.
func (r row) near(o row) int64 {
	return int64(float64(min(r.Last-r.First, o.Last-o.First)) * together)
}

// CompareNames compares names of versions by their text, and numbers in them by their
// value: v10 comes after v9.
func CompareNames(a, b string) int {
	for a != "" && b != "" {
		na, nb := leadingDigits(a), leadingDigits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			break
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(a, b)
}

func leadingDigits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// questions returns the questions about one prompt and one evaluator.
func (vs versions) questions(opts Options, alpha float64) []question {
	switch {
	case opts.Unordered && opts.Baseline != "":
		return vs.againstGiven(opts.Baseline)
	case opts.Unordered:
		return vs.againstOthers(alpha)
	}
	var out []question
	if opts.Baseline != "" {
		out = vs.againstGiven(opts.Baseline)
	} else {
		out = vs.againstBefore(alpha)
	}
	if len(vs) > 2 { // with two versions the second question is the first one
		out = append(out, vs.againstOthers(alpha)...)
	}
	return out
}

// againstBefore asks about each version and the one before it.
func (vs versions) againstBefore(alpha float64) []question {
	out := make([]question, len(vs))
	lastDecided, lastEnough := -1, -1 // of those before i that are not worse
	for i, v := range vs {
		before := lastEnough
		if before < 0 {
			before = lastDecided
		}
		worse := false
		switch {
		case len(vs) == 1:
			out[i] = unasked(v, AgainstBaseline, OnlyVersion)
		case v.Decided() == 0:
			out[i] = unasked(v, AgainstBaseline, NothingDecided)
		case v.Unseen() > mostUnseen:
			out[i] = unasked(v, AgainstBaseline, MostUnseen)
		case before < 0:
			out[i] = unasked(v, AgainstBaseline, FirstVersion)
		default:
			out[i] = ask(v, AgainstBaseline, vs[before].PromptVersion, vs[before].Cell)
			out[i].ByName = v.First == vs[before].First
			worse = out[i].NotCompared == "" && out[i].PValue <= alpha
		}
		if n := v.Decided(); n > 0 && !worse && v.Unseen() <= mostUnseen {
			lastDecided = i
			if n >= MinDecided {
				lastEnough = i
			}
		}
	}
	return out
}

// againstGiven asks about each version and one that was named.
func (vs versions) againstGiven(given string) []question {
	at := slices.IndexFunc(vs, func(v row) bool { return v.PromptVersion == given && v.Decided() > 0 })
	out := make([]question, len(vs))
	for i, v := range vs {
		switch {
		case i == at:
			out[i] = unasked(v, AgainstBaseline, IsBaseline)
		case at < 0:
			out[i] = unasked(v, AgainstBaseline, NoBaseline)
		default:
			out[i] = ask(v, AgainstBaseline, given, vs[at].Cell)
		}
	}
	return out
}

// againstOthers asks the second question. P-values above alpha come from the pooled
// test only, because the other could only raise them.
func (vs versions) againstOthers(alpha float64) []question {
	if len(vs) == 1 {
		return []question{unasked(vs[0], AgainstOthers, OnlyVersion)}
	}
	// after[i] pools the versions from i on; before pools those that precede i.
	after := make([]Cell, len(vs)+1)
	for i := len(vs) - 1; i >= 0; i-- {
		after[i] = after[i+1]
		after[i].Merge(vs[i].Cell)
	}
	var before Cell
	out := make([]question, len(vs))
	for i, v := range vs {
		rest := before
		rest.Merge(after[i+1])
		before.Merge(v.Cell)
		out[i] = ask(v, AgainstOthers, "", rest)
		if out[i].NotCompared == "" && out[i].PValue <= alpha {
			out[i].PValue = max(out[i].PValue, worseThanMost(vs.oneByOne(i)))
		}
	}
	return out
}

// oneByOne returns the p-values of version i against each other version that it can
// be compared with.
func (vs versions) oneByOne(i int) []float64 {
	var ps []float64
	for j := range vs {
		if p, ok := Worse(vs[i].Cell, vs[j].Cell); ok && j != i {
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
func holm(cs []Comparison) {
	var least float64
	for i := range cs {
		least = max(least, min(1, float64(len(cs)-i)*cs[i].PValue))
		cs[i].PValue = least
	}
}
