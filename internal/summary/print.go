package summary

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evalworker/evalworker/stats"
)

// Widths of the two columns of names. A line has at most 100 columns.
const (
	maxVersionWidth = 14
	maxEvalWidth    = 20
)

// Print writes the tables in at most 100 columns.
func (t Tables) Print(w io.Writer) error {
	var b strings.Builder
	if len(t.PromptVersions) == 0 {
		b.WriteString("no verdicts\n")
	} else {
		t.rows(&b)
		b.WriteString(legend)
		t.errors(&b)
	}
	if len(t.PromptVersions) > 1 {
		b.WriteByte('\n')
		t.findings(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const legend = `
decided: pass or fail; a rate weighs each verdict by how likely it was to be sampled
n/a: nothing there to evaluate; unsure: looked at, not decided; error: the evaluator failed
<: passes less often than the other versions together; a one-sided test, 1 % for the whole table
`

func (t Tables) rows(b *strings.Builder) {
	line := func(version, evaluator, decided, rate, interval, fail, failed, na, unsure, mark string) {
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %7s  %7s  %13s  %5s  %5s  %5s  %6s %s",
			maxVersionWidth, version, maxEvalWidth, evaluator, decided, rate, interval, fail, failed, na, unsure, mark), " "))
	}
	line("prompt version", "evaluator", "decided", "pass", "95 % interval", "fail", "error", "n/a", "unsure", "")
	for _, v := range t.PromptVersions {
		name := truncate(versionName(v.PromptVersion), maxVersionWidth)
		for _, evaluator := range slices.Sorted(maps.Keys(v.Evals)) {
			e := v.Evals[evaluator]
			rate, interval := "-", "-"
			if e.PassRate != nil {
				rate = fmt.Sprintf("%.1f %%", 100**e.PassRate)
				interval = fmt.Sprintf("%.1f - %.1f", 100**e.Low, 100**e.High)
			}
			mark := ""
			if t.regressed(v.PromptVersion, evaluator) {
				mark = "<"
			}
			line(name, truncate(evaluator, maxEvalWidth), shortCount(e.Pass+e.Fail), rate, interval, shortCount(e.Fail), shortCount(e.Error), shortCount(e.NotApplicable), shortCount(e.CannotJudge), mark)
			name = ""
		}
	}
}

func (t Tables) regressed(version, evaluator string) bool {
	return slices.ContainsFunc(t.Regressions, func(r Regression) bool { return r.PromptVersion == version && r.Eval == evaluator })
}

func (t Tables) findings(b *strings.Builder) {
	failing := t.Failing()
	for i, f := range failing {
		if i == 0 {
			b.WriteString("prompt versions cannot be compared by")
		} else {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %s (%d of %d verdicts are errors)", truncate(f.Eval, maxEvalWidth), f.Errors, f.Verdicts)
	}
	if len(failing) > 0 {
		b.WriteByte('\n')
	}
	switch {
	case !t.comparable():
		fmt.Fprintf(b, "too few verdicts to compare prompt versions: an evaluator has to decide on %d events of two of them\n", stats.MinDecided)
		return
	case len(t.Regressions) == 0 && len(failing) > 0:
		return
	case len(t.Regressions) == 0:
		b.WriteString("no prompt version is worse than the others, as far as these numbers tell\n")
		return
	}
	b.WriteString("worse than the other versions of their prompt, beyond chance (<):\n")
	for _, r := range t.Regressions {
		fmt.Fprintf(b, "  %s  %-*s  %.1f %% pass, others %.1f %%  (%+.1f points, p %s)\n",
			truncate(versionName(r.PromptVersion), maxVersionWidth), maxEvalWidth, truncate(r.Eval, maxEvalWidth), 100*r.Rate, 100*r.Baseline, 100*r.Difference, pValue(r.PValue))
	}
}

// comparable reports whether any versions could be compared.
func (t Tables) comparable() bool {
	enough := map[string]int{}
	for _, v := range t.PromptVersions {
		for name, e := range v.Evals {
			if e.Pass+e.Fail < stats.MinDecided {
				continue
			}
			if enough[name]++; enough[name] > 1 {
				return true
			}
		}
	}
	return false
}

// errors prints why evaluations failed, because a table full of dashes does not
// show that, for example, the API key is wrong.
func (t Tables) errors(b *strings.Builder) {
	for _, evaluator := range slices.Sorted(maps.Keys(t.Errors)) {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(t.Errors[evaluator])) {
			parts = append(parts, fmt.Sprintf("%s %s", shortCount(t.Errors[evaluator][reason]), reason))
		}
		fmt.Fprintf(b, "errors of %s: %s\n", truncate(evaluator, maxEvalWidth), strings.Join(parts, ", "))
	}
}

func pValue(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("= %.4f", p)
}

func versionName(version string) string {
	if version == "" {
		return "(none)"
	}
	return version
}

// truncate shortens a name to a width, in characters.
func truncate(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// shortCount abbreviates large numbers, so that they fit their columns.
func shortCount(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 100_000:
		return fmt.Sprintf("%dk", n/1_000)
	}
	return fmt.Sprint(n)
}
