package summary

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Widths of the column of names, and of a line.
const (
	nameWidth = 18
	lineWidth = 80
)

// Print writes what was found, and then the tables, in at most 80 columns.
func (t Tables) Print(w io.Writer) error {
	var b strings.Builder
	if len(t.PromptVersions) == 0 {
		b.WriteString("no verdicts\n")
	} else {
		t.findings(&b)
		t.tables(&b)
		b.WriteString(legend)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const legend = `
decided: pass or fail; worth: as many independent verdicts of equal weight
pass: of all events, each verdict weighed by how likely it was to be sampled
n/a: nothing there to evaluate; unsure: not decided; error: the evaluator failed
<: worse than the version that it was compared with, beyond chance; p-values are
adjusted for all comparisons above, and hold for one look at the data
`

// tables writes a block for each prompt with one version, with a line an evaluator,
// and for any other prompt a block an evaluator, with a line a version.
func (t Tables) tables(b *strings.Builder) {
	for start := 0; start < len(t.PromptVersions); {
		end := start + 1
		for end < len(t.PromptVersions) && t.PromptVersions[end].PromptName == t.PromptVersions[start].PromptName {
			end++
		}
		versions := t.PromptVersions[start:end]
		start = end
		if len(versions) == 1 {
			v := versions[0]
			head(b, promptTitle(v.PromptName, v.PromptVersion))
			for _, name := range slices.Sorted(maps.Keys(v.Evals)) {
				t.line(b, name, v, name)
			}
			continue
		}
		var evaluators []string
		for _, v := range versions {
			evaluators = slices.AppendSeq(evaluators, maps.Keys(v.Evals))
		}
		slices.Sort(evaluators)
		for _, name := range slices.Compact(evaluators) {
			title := name
			if prompt := versions[0].PromptName; prompt != "" {
				title = prompt + ": " + name
			}
			head(b, title)
			for _, v := range versions {
				t.line(b, versionName(v.PromptVersion), v, name)
			}
		}
	}
}

// head writes the first two lines of a block.
func head(b *strings.Builder, title string) {
	fmt.Fprintf(b, "\n%s\n", truncate(title, lineWidth))
	writeLine(b, "", "decided", "worth", "pass", "", "95 % interval", "fail", "n/a", "unsure", "error")
}

// line writes the verdicts of one evaluator on one version; nothing when there are none.
func (t Tables) line(b *strings.Builder, name string, v Version, evaluator string) {
	e, ok := v.Evals[evaluator]
	if !ok {
		return
	}
	rate, interval, worth, mark := "-", "-", "-", ""
	if e.PassRate != nil {
		rate = fmt.Sprintf("%.1f", 100**e.PassRate)
		interval = fmt.Sprintf("%.1f - %.1f", 100**e.Low, 100**e.High)
		worth = shortCount(int64(e.EffectiveSize + 0.5))
	}
	if t.regressed(v.PromptName, v.PromptVersion, evaluator) {
		mark = "<"
	}
	writeLine(b, name, shortCount(e.Pass+e.Fail), worth, rate, mark, interval,
		shortCount(e.Fail), shortCount(e.NotApplicable), shortCount(e.CannotJudge), shortCount(e.Error))
}

func writeLine(b *strings.Builder, name, decided, worth, rate, mark, interval, fail, na, unsure, failed string) {
	fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("  %-*s %7s %5s %5s %1s%13s %5s %5s %6s %5s",
		nameWidth, truncate(name, nameWidth), decided, worth, rate, mark, interval, fail, na, unsure, failed), " "))
}

// promptTitle names a version of a prompt.
func promptTitle(prompt, version string) string {
	switch {
	case prompt == "" && version == "":
		return "no version"
	case prompt == "":
		return "version " + version
	}
	return prompt + " " + versionName(version)
}

func versionName(version string) string {
	if version == "" {
		return "(no version)"
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
