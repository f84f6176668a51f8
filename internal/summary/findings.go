package summary

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/stats"
)

// findings writes what was found, what would have been found, and what was not
// compared and why: no news is good news only where somebody looked.
func (t Tables) findings(b *strings.Builder) {
	t.errors(b)
	t.worse(b)
	t.quiet(b)
	t.uncompared(b)
	t.fewWeights(b)
}

// errors says which evaluators failed and why, because a table full of dashes does not
// show that, for example, the API key is wrong.
func (t Tables) errors(b *strings.Builder) {
	for _, evaluator := range slices.Sorted(maps.Keys(t.Errors)) {
		failed, all := t.errorsOf(evaluator)
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(t.Errors[evaluator])) {
			parts = append(parts, shortCount(t.Errors[evaluator][reason])+" "+reason)
		}
		text := fmt.Sprintf("%s gave errors on %s of %s events: %s", truncate(evaluator, nameWidth), shortCount(failed), shortCount(all), strings.Join(parts, ", "))
		if t.failing(evaluator) {
			text += "; versions are not compared by it"
		}
		paragraph(b, text)
	}
}

// failing reports whether so many verdicts of an evaluator are errors that the rest says
// nothing about versions.
func (t Tables) failing(evaluator string) bool {
	failed, all := t.errorsOf(evaluator)
	return float64(failed) > t.MaxErrors*float64(all)
}

// errorsOf returns how many verdicts of an evaluator are errors, of how many.
func (t Tables) errorsOf(evaluator string) (failed, all int64) {
	for _, v := range t.PromptVersions {
		e := v.Evals[evaluator]
		failed += e.Error
		all += e.Pass + e.Fail + e.Error + e.NotApplicable + e.CannotJudge
	}
	return failed, all
}

// worse lists the versions that pass less often.
func (t Tables) worse(b *strings.Builder) {
	for _, c := range t.Regressions {
		if t.failing(c.Eval) {
			continue
		}
		paragraph(b, "WORSE: "+describeWorse(c))
	}
}

// describeWorse says which version passes less often than what, and how sure that is.
func describeWorse(c Comparison) string {
	than := "all others together"
	if c.Against == stats.AgainstBaseline {
		than = versionName(c.BaselineVersion)
	}
	return fmt.Sprintf("%s, %s: %.1f\u00a0%% pass, %.1f\u00a0%% of %s (%+.1f\u00a0points, adjusted\u00a0p\u00a0%s)",
		promptTitle(c.PromptName, c.PromptVersion), c.Eval, 100*c.Rate, 100*c.Baseline, than, 100*c.Difference, pValue(c.PValue))
}

// quiet says how much of a drop the comparisons that found nothing would have shown.
func (t Tables) quiet(b *strings.Builder) {
	var found []Comparison
	for _, c := range t.Comparisons {
		if c.NotCompared == "" && !t.failing(c.Eval) && !t.regressed(c.PromptName, c.PromptVersion, c.Eval) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return
	}
	text := fmt.Sprintf("no drop beyond chance: %d %s", len(found), choose(len(found), "comparison", "comparisons"))
	seeing := slices.DeleteFunc(slices.Clone(found), func(c Comparison) bool { return c.SmallestDrop == 0 })
	if len(seeing) > 0 {
		bySize := func(a, b Comparison) int { return cmp.Compare(a.SmallestDrop, b.SmallestDrop) }
		least, most := slices.MinFunc(seeing, bySize), slices.MaxFunc(seeing, bySize)
		text += fmt.Sprintf("; four times in five, %s would have shown one of %.1f points (%s)",
			choose(len(seeing), "it", "they"), 100*least.SmallestDrop, comparisonName(least))
		if most.SmallestDrop > least.SmallestDrop {
			text += fmt.Sprintf(" to %.1f points (%s)", 100*most.SmallestDrop, comparisonName(most))
		}
	}
	if blind := len(found) - len(seeing); blind > 0 {
		text += fmt.Sprintf("; %d had too little data to show any drop", blind)
	}
	paragraph(b, text)
}

func comparisonName(c Comparison) string {
	return promptTitle(c.PromptName, c.PromptVersion) + ", " + c.Eval
}

// uncompared says what was not compared and why.
func (t Tables) uncompared(b *strings.Builder) {
	reasons := map[string]string{
		stats.OnlyVersion:    "is the only version of its prompt",
		stats.NothingDecided: "has no decided verdict",
		stats.TooFew:         fmt.Sprintf("and its baseline have fewer than %d decided verdicts each", stats.MinDecided),
		stats.NoBaseline:     "has no baseline: the version of --baseline has no decided verdict",
	}
	type version struct{ name, why string }
	evaluators := map[version][]string{}
	for _, c := range t.Comparisons {
		if _, tell := reasons[c.NotCompared]; tell && c.Against == stats.AgainstBaseline && !t.failing(c.Eval) {
			v := version{promptTitle(c.PromptName, c.PromptVersion), c.NotCompared}
			evaluators[v] = append(evaluators[v], c.Eval)
		}
	}
	// Versions with the same evaluators and the same reason share a line.
	type line struct{ evaluators, why string }
	versions := map[line][]string{}
	for v, names := range evaluators {
		slices.Sort(names)
		l := line{strings.Join(names, ", "), v.why}
		versions[l] = append(versions[l], v.name)
	}
	order := slices.SortedFunc(maps.Keys(versions), func(a, b line) int {
		return cmp.Or(cmp.Compare(a.why, b.why), cmp.Compare(a.evaluators, b.evaluators))
	})
	for _, l := range order {
		names := versions[l]
		slices.SortFunc(names, stats.CompareNames)
		for _, name := range names[:min(len(names), maxNamed)] {
			paragraph(b, fmt.Sprintf("not compared: %s %s (%s)", name, reasons[l.why], l.evaluators))
		}
		if more := len(names) - maxNamed; more > 0 {
			paragraph(b, fmt.Sprintf("    and %d more", more))
		}
	}
}

// maxNamed bounds the versions that are named for one reason.
const maxNamed = 5

// A rate is decided by few weights when its verdicts are worth less than this share of
// their number, and fewer than fewWorth.
const (
	fewShare = 0.5
	fewWorth = 30
)

// fewWeights names the rates that a few verdicts decide: those that were sampled at a
// low rate, beside many at a high one.
func (t Tables) fewWeights(b *strings.Builder) {
	for _, v := range t.PromptVersions {
		for _, name := range slices.Sorted(maps.Keys(v.Evals)) {
			e := v.Evals[name]
			if decided := e.Pass + e.Fail; e.EffectiveSize > 0 && e.EffectiveSize < min(fewWorth, fewShare*float64(e.Units)) {
				paragraph(b, fmt.Sprintf("few verdicts decide: %s, %s: %s decided are worth %.0f, because those sampled at a low rate outweigh the others",
					promptTitle(v.PromptName, v.PromptVersion), name, shortCount(decided), max(1, e.EffectiveSize)))
			}
		}
	}
}

// paragraph writes a text in lines of at most 80 columns, indented after the first. A
// no-break space becomes a plain one.
func paragraph(b *strings.Builder, text string) {
	const indent = "    "
	width, first := 0, true
	for word := range strings.SplitSeq(text, " ") {
		word = truncate(strings.ReplaceAll(word, "\u00a0", " "), lineWidth-len(indent))
		n := len([]rune(word))
		switch {
		case first:
			first = false
		case width+1+n > lineWidth:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	b.WriteByte('\n')
}

func choose(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func pValue(p float64) string {
	if p < 0.0001 {
		return "<\u00a00.0001"
	}
	return fmt.Sprintf("=\u00a0%.4f", p)
}
