package summary

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/stats"
)

// findings writes what was found, how small a drop may be hidden, and what was not
// compared and why, because an empty list of findings would look like good news.
func (t Tables) findings(b *strings.Builder) {
	t.worse(b)
	t.errors(b)
	t.quiet(b)
	t.byName(b)
	t.uncompared(b)
	t.nothing(b)
	t.unsure(b)
	t.imprecise(b)
	t.looks(b)
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
		text := fmt.Sprintf("%s gave errors on %s of %s events: %s", truncate(evaluator, 40), shortCount(failed), shortCount(all), strings.Join(parts, ", "))
		if t.failing(evaluator) {
			text += "; versions are not compared by it"
		}
		paragraph(b, text, "    ")
	}
}

// maxUnsure is the number of reasons of an evaluator that are named.
const maxUnsure = 2

// unsure says why verdicts could not be reached, the commonest reasons: what is missing
// in events, such as the scale of a rating, is mended where they are made.
func (t Tables) unsure(b *strings.Builder) {
	for _, evaluator := range slices.Sorted(maps.Keys(t.Unsure)) {
		reasons := t.Unsure[evaluator]
		if len(reasons) == 1 && reasons[""] > 0 {
			continue // the table has the number, and there is no more to say
		}
		order := slices.SortedFunc(maps.Keys(reasons), func(x, y string) int {
			return cmp.Or(-cmp.Compare(reasons[x], reasons[y]), cmp.Compare(x, y))
		})
		var all, more int64
		var parts []string
		for i, reason := range order {
			all += reasons[reason]
			if i < maxUnsure {
				parts = append(parts, fmt.Sprintf("%s (%s)", truncate(cmp.Or(reason, "no reason"), 120), shortCount(reasons[reason])))
			} else {
				more += reasons[reason]
			}
		}
		if more > 0 {
			parts = append(parts, "others ("+shortCount(more)+")")
		}
		paragraph(b, fmt.Sprintf("%s is unsure of %s: %s", truncate(evaluator, 40), shortCount(all), strings.Join(parts, "; ")), "    ")
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

// side is one side of the comparisons of a version: what it was compared with.
type side struct {
	prompt, version string
	against         stats.Against
	baseline        string
}

func sideOf(c Comparison) side {
	return side{c.PromptName, c.PromptVersion, c.Against, c.BaselineVersion}
}

// first is what versions are compared with in the first place.
func (t Tables) first() stats.Against {
	if slices.ContainsFunc(t.Comparisons, func(c Comparison) bool { return c.Against == stats.AgainstBaseline }) {
		return stats.AgainstBaseline
	}
	return stats.AgainstOthers
}

// compared returns the comparisons that have an answer, by their sides, and the sides in
// the order of the versions in the tables.
func (t Tables) compared() (bySide map[side][]Comparison, order []side) {
	bySide = map[side][]Comparison{}
	for _, c := range t.Comparisons {
		if c.NotCompared == "" && !t.failing(c.Eval) {
			bySide[sideOf(c)] = append(bySide[sideOf(c)], c)
		}
	}
	place := t.places()
	order = slices.SortedFunc(maps.Keys(bySide), func(a, b side) int {
		return cmp.Or(cmp.Compare(a.prompt, b.prompt), cmp.Compare(place[promptVersion{a.prompt, a.version}], place[promptVersion{b.prompt, b.version}]), stats.CompareNames(a.version, b.version), cmp.Compare(a.against, b.against), cmp.Compare(a.baseline, b.baseline))
	})
	return bySide, order
}

// places returns the places of the versions of each prompt: those in time, and of values
// without an order none.
func (t Tables) places() map[promptVersion]int {
	out := map[promptVersion]int{}
	for _, c := range t.Comparisons {
		if in := (promptVersion{c.PromptName, c.PromptVersion}); t.By == ByVersion {
			out[in] = max(out[in], c.Order)
		}
	}
	return out
}

// worse writes a block for each version that passes less often than what it was compared
// with: the evaluators that say so, and what the others would have shown.
func (t Tables) worse(b *strings.Builder) {
	bySide, order := t.compared()
	shown, more := 0, 0
	for _, s := range order {
		var rows, quiet, both []Comparison
		for _, c := range bySide[s] {
			switch {
			case slices.Contains(t.Regressions, c):
				rows = append(rows, c)
			case c.Worse:
				both = append(both, c) // found against the baseline, too
			default:
				quiet = append(quiet, c)
			}
		}
		if len(rows) == 0 {
			continue
		}
		if shown++; shown > maxFindings {
			more++
			continue
		}
		var head strings.Builder
		paragraph(&head, fmt.Sprintf("%s is worse than %s", t.title(s.prompt, s.version), t.than(s)), "    ")
		b.WriteString(t.paint(true, strings.TrimSuffix(head.String(), "\n")) + "\n")
		width := 0
		for _, c := range rows {
			width = max(width, min(columnsOf(c.Eval), findingWidth))
		}
		for _, c := range rows {
			fmt.Fprintf(b, "  %s  %5.1f -> %5.1f %%  %+6.1f points  adjusted p %s\n",
				pad(truncate(c.Eval, width), width), 100*c.Baseline, 100*c.Rate, 100*c.Difference, pValue(c.PValue))
		}
		if s.against == t.first() {
			t.beside(b, s, bySide, rows)
			writeQuiet(b, "  no drop seen in the others", quiet)
		} else if len(both) > 0 {
			paragraph(b, "  and in "+evalNames(both)+", as above", "  ")
		}
	}
	if more > 0 {
		fmt.Fprintf(b, "and %d more are worse (--json has them all)\n", more)
	}
}

// maxFindings bounds the versions that are shown as worse: more of them are ids in place
// of versions.
const maxFindings = 20

// findingWidth is the largest width of an evaluator's name in a finding.
const findingWidth = 24

// beside says which of the rows the second question confirms.
func (t Tables) beside(b *strings.Builder, s side, bySide map[side][]Comparison, rows []Comparison) {
	second := side{s.prompt, s.version, stats.AgainstOthers, ""}
	if s == second || len(bySide[second]) == 0 {
		return
	}
	var confirmed, not []Comparison
	for _, row := range rows {
		for _, c := range bySide[second] {
			if c.Eval != row.Eval {
				continue
			}
			if c.Worse {
				confirmed = append(confirmed, c)
			} else {
				not = append(not, c)
			}
		}
	}
	switch {
	case len(not) == 0:
		paragraph(b, "  worse than all others together, too", "  ")
	case len(confirmed) == 0:
		paragraph(b, "  than all others together: not seen to be worse", "  ")
	default:
		paragraph(b, "  worse than all others together, too, in "+evalNames(confirmed)+"; not seen in "+evalNames(not), "  ")
	}
}

// than names what a version was compared with.
func (t Tables) than(s side) string {
	if s.against == stats.AgainstBaseline {
		return t.valueName(s.baseline)
	}
	if other, ok := t.onlyOther(s); ok {
		return t.valueName(other)
	}
	return "all others together"
}

// onlyOther returns the one other version of a prompt that has two.
func (t Tables) onlyOther(s side) (other string, ok bool) {
	n := 0
	for _, v := range t.PromptVersions {
		if v.PromptName == s.prompt && v.PromptVersion != s.version {
			other = v.PromptVersion
			n++
		}
	}
	return other, n == 1
}

// valueName names a value of the field that groups the rows.
func (t Tables) valueName(value string) string {
	if value == "" && t.By != "" && t.By != ByVersion {
		return "(no " + string(t.By) + ")"
	}
	return versionName(value)
}

func (t Tables) title(prompt, value string) string {
	if prompt == "" {
		return t.valueName(value)
	}
	return readable(prompt) + ": " + t.valueName(value)
}

func evalNames(cs []Comparison) string {
	var out []string
	for _, c := range cs {
		out = append(out, c.Eval)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// writeQuiet writes the comparisons that found nothing, each with the drop that it would
// have shown, because a smaller one may be there.
func writeQuiet(b *strings.Builder, begin string, cs []Comparison) {
	if len(cs) == 0 {
		return
	}
	var parts, blind []string
	slices.SortStableFunc(cs, func(a, b Comparison) int {
		return cmp.Or(cmp.Compare(a.SmallestDrop, b.SmallestDrop), cmp.Compare(a.Eval, b.Eval))
	})
	for _, c := range cs {
		if c.SmallestDrop == 0 {
			blind = append(blind, c.Eval)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s\u00a0%.1f", c.Eval, 100*c.SmallestDrop))
	}
	text := begin
	if len(parts) > 0 {
		text += ". Smaller drops than these may be hidden: " + strings.Join(parts, ", ") + "\u00a0points"
	}
	if len(blind) > 0 {
		text += ". A drop of any size may be hidden: " + strings.Join(blind, ", ")
	}
	paragraph(b, text, "    ")
}

// quiet says of the versions that no evaluator found worse how much of a drop would
// have shown, those of each prompt that came last.
func (t Tables) quiet(b *strings.Builder) {
	bySide, order := t.compared()
	left := map[string]int{} // by prompt
	var shown []side
	for _, s := range slices.Backward(order) {
		if s.against != t.first() || slices.ContainsFunc(bySide[s], func(c Comparison) bool { return slices.Contains(t.Regressions, c) }) {
			continue
		}
		if left[s.prompt]++; left[s.prompt] <= maxNamed {
			shown = append(shown, s)
		}
	}
	for i, s := range slices.Backward(shown) {
		writeQuiet(b, fmt.Sprintf("%s against %s: no drop seen", t.title(s.prompt, s.version), t.than(s)), bySide[s])
		if i == 0 || shown[i-1].prompt != s.prompt {
			if more := left[s.prompt] - maxNamed; more > 0 {
				paragraph(b, fmt.Sprintf("%s%d before them: no drop seen", prefix(s.prompt), more), "    ")
			}
		}
	}
}

// byName names the versions of which only the names tell the order, because it may be
// the other way round.
func (t Tables) byName(b *strings.Builder) {
	versions := map[string][]string{} // by prompt
	better := map[string][]Comparison{}
	for _, c := range t.Comparisons {
		if c.ByName && !t.failing(c.Eval) {
			versions[c.PromptName] = append(versions[c.PromptName], c.BaselineVersion, c.PromptVersion)
			if c.NotCompared == "" && c.Low > 0 {
				better[c.PromptName] = append(better[c.PromptName], c)
			}
		}
	}
	all := map[string]int{}
	for _, v := range t.PromptVersions {
		all[v.PromptName]++
	}
	prompts := slices.Sorted(maps.Keys(versions))
	for _, prompt := range prompts[:min(len(prompts), maxNamed)] {
		slices.SortFunc(versions[prompt], stats.CompareNames)
		var names []string
		for _, v := range slices.Compact(versions[prompt]) {
			names = append(names, t.valueName(v))
		}
		which := "versions"
		if len(names) < all[prompt] {
			if more := len(names) - maxNamed; more > 0 {
				names = append(names[:maxNamed], fmt.Sprintf("%d more", more))
			}
			which = strings.Join(names, ", ")
		}
		text := fmt.Sprintf("%s%s began together or have no times, so their names give the order; --baseline names another", prefix(prompt), which)
		if cs := better[prompt]; len(cs) > 0 && len(names) == 2 && all[prompt] == 2 { // of more, each is compared with all others, too
			text += fmt.Sprintf(". The other way round, %s may be worse than %s by %s", names[0], names[1], evalNames(cs))
		}
		paragraph(b, text, "    ")
	}
	if more := len(prompts) - maxNamed; more > 0 {
		fmt.Fprintf(b, "and %d more prompts in which names give the order of versions\n", more)
	}
}

func prefix(prompt string) string {
	if prompt == "" {
		return ""
	}
	return readable(prompt) + ": "
}

// looks says how many questions were asked, and what asking often costs.
func (t Tables) looks(b *strings.Builder) {
	all, pooled, shown := 0, 0, ""
	for _, c := range t.Comparisons {
		if c.NotCompared != "" || t.failing(c.Eval) {
			continue
		}
		all++
		if !c.Worse && c.Against == t.first() {
			shown = ". A drop of the size that is named shows four times in five"
		}
		if c.Against == stats.AgainstOthers && c.Against != t.first() {
			pooled++
		}
	}
	if all == 0 {
		return
	}
	text := fmt.Sprintf("%d comparisons", all)
	switch {
	case all == 1:
		text = "1 comparison"
	case pooled > 0:
		text += fmt.Sprintf(", %d of them with all others together", pooled)
	}
	paragraph(b, text+"; p-values are adjusted for all of them, and hold for one look: who looks at growing data again and again finds false alarms"+shown, "    ")
}

// uncompared says what was not compared and why.
func (t Tables) uncompared(b *strings.Builder) {
	reasons := map[string]string{
		stats.OnlyVersion:    "nothing to compare with",
		stats.NothingDecided: "no decided verdict",
		stats.TooFew:         fmt.Sprintf("fewer than %d decided verdicts on both sides", stats.MinDecided),
		stats.NoBaseline:     "no decided verdict of the --baseline",
		stats.MostUnseen:     "no verdict stands for most of the events, on one side: their sampling rate is so low that none was drawn",
	}
	type version struct{ name, why string }
	evaluators := map[version][]string{}
	told := t.onlyNothing()
	for _, c := range t.Comparisons {
		if told[promptEval{c.PromptName, c.Eval}].versions[c.PromptVersion] {
			continue
		}
		if _, tell := reasons[c.NotCompared]; tell && c.Against == t.first() && !t.failing(c.Eval) {
			v := version{t.title(c.PromptName, c.PromptVersion), c.NotCompared}
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
			paragraph(b, fmt.Sprintf("%s: not compared by %s: %s", name, l.evaluators, reasons[l.why]), "    ")
		}
		if more := len(names) - maxNamed; more > 0 {
			paragraph(b, fmt.Sprintf("    and %d more", more), "    ")
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

// imprecise names the rates that a few verdicts decide, those that were sampled at a low
// rate, beside many at a high one; and those that leave out events altogether.
func (t Tables) imprecise(b *strings.Builder) {
	var lines []string
	for _, v := range t.PromptVersions {
		for _, name := range slices.Sorted(maps.Keys(v.Evals)) {
			if why := v.Evals[name].imprecise(); why != "" {
				lines = append(lines, t.title(v.PromptName, v.PromptVersion)+", "+name+": "+why)
			}
		}
	}
	for _, line := range lines[:min(len(lines), maxImprecise)] {
		paragraph(b, line, "    ")
	}
	if more := len(lines) - maxImprecise; more > 0 {
		fmt.Fprintf(b, "and %d more rates that few verdicts decide\n", more)
	}
}

// maxImprecise bounds the rates that are named as imprecise.
const maxImprecise = 10

// imprecise says why a rate is imprecise, or not there; empty when neither is so.
func (e Eval) imprecise() string {
	decided := e.Pass + e.Fail
	switch {
	case decided == 0:
		return ""
	case e.PassRate == nil && e.Unseen > 0:
		return fmt.Sprintf("no rate: the %s decided stand for %.0f\u00a0%% of the events; of the others, sampled at a low rate, none was drawn",
			shortCount(decided), 100*(1-e.Unseen))
	case e.Unseen >= minUnseen:
		return fmt.Sprintf("the interval is wider, because %.0f\u00a0%% of the events were sampled at so low a rate that none was drawn", 100*e.Unseen)
	case e.EffectiveSize > 0 && e.EffectiveSize < min(fewWorth, fewShare*float64(e.Units)):
		return fmt.Sprintf("few verdicts decide: %s decided are worth %.0f, because those sampled at a low rate outweigh the others",
			shortCount(decided), max(1, e.EffectiveSize))
	}
	return ""
}

// minUnseen is the share of unseen events from which on they are named.
const minUnseen = 0.01

func pValue(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("= %.4f", p)
}
