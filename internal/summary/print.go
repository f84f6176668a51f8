package summary

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// lineWidth is that of everything printed, in columns.
const lineWidth = 80

// Print writes what was found, and then the tables, in at most 80 columns.
func (t Tables) Print(w io.Writer) error {
	var b strings.Builder
	if len(t.PromptVersions) == 0 {
		b.WriteString("no verdicts\n")
	} else {
		t.findings(&b)
		t.PromptVersions = t.withSomething()
		place := t.places()
		slices.SortStableFunc(t.PromptVersions, func(a, b Version) int {
			return cmp.Or(cmp.Compare(a.PromptName, b.PromptName),
				cmp.Compare(place[promptVersion{a.PromptName, a.PromptVersion}], place[promptVersion{b.PromptName, b.PromptVersion}]))
		})
		l := t.layout()
		for _, versions := range t.prompts() {
			l.prompt(&b, versions)
		}
		if len(t.PromptVersions) > 0 {
			l.legend(&b)
		}
	}
	_, err := io.WriteString(w, keepOrder(b.String()))
	return err
}

// prompts returns the versions by prompt.
func (t Tables) prompts() (out [][]Version) {
	for start := 0; start < len(t.PromptVersions); {
		end := start + 1
		for end < len(t.PromptVersions) && t.PromptVersions[end].PromptName == t.PromptVersions[start].PromptName {
			end++
		}
		out = append(out, t.PromptVersions[start:end])
		start = end
	}
	return out
}

// column is a column of counts.
type column struct {
	head  string
	value func(Eval) int64
	text  func(Eval) string
}

func count(head string, of func(Eval) int64) column {
	return column{head: head, value: of, text: func(e Eval) string { return shortCount(of(e)) }}
}

// columns returns the columns that tell something: those of rare ends only where a
// verdict ended so, and the worth only where it is not the number of decided verdicts.
func (t Tables) columns() []column {
	decided := func(e Eval) int64 { return e.Pass + e.Fail }
	worth := column{
		head:  "worth",
		value: func(e Eval) int64 { return int64(e.EffectiveSize+0.5) - decided(e) },
		text: func(e Eval) string {
			if e.EffectiveSize <= 0 {
				return "-"
			}
			return shortCount(max(1, int64(e.EffectiveSize+0.5)))
		},
	}
	out := []column{count("decided", decided)}
	for _, c := range []column{
		worth,
		count("fail", func(e Eval) int64 { return e.Fail }),
		count("n/a", func(e Eval) int64 { return e.NotApplicable }),
		count("unsure", func(e Eval) int64 { return e.CannotJudge }),
		count("error", func(e Eval) int64 { return e.Error }),
	} {
		if slices.ContainsFunc(t.PromptVersions, func(v Version) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(v.Evals)), func(e Eval) bool { return c.value(e) != 0 })
		}) {
			out = append(out, c)
		}
	}
	return out
}

// Bounds of a row.
const (
	maxNameWidth  = 20
	intervalWidth = 10 // such as 72.7-100.0
	indent        = 4
	leastDrawing  = 15 // with the interval in figures beside it
)

// layout is the form of all rows.
type layout struct {
	Tables
	columns []column
	widths  []int // of columns
	name    int   // width
	drawing int   // width
	figures bool  // the interval stands in figures, too
}

func (t Tables) layout() layout {
	l := layout{Tables: t, columns: t.columns()}
	for _, versions := range t.prompts() {
		for _, name := range t.rowNames(versions) {
			l.name = max(l.name, columnsOf(name))
		}
	}
	l.name = min(l.name, maxNameWidth)
	rest := lineWidth - l.left()
	for _, c := range l.columns {
		width := len(c.head)
		for _, v := range t.PromptVersions {
			for _, e := range v.Evals {
				width = max(width, len(c.text(e)))
			}
		}
		l.widths = append(l.widths, width)
		rest -= 1 + width
	}
	l.drawing = rest
	if with := rest - intervalWidth - 1; with >= leastDrawing {
		l.figures, l.drawing = true, with
	}
	return l
}

// left is the width of what stands before the interval: the name, and a rate of up to
// 100.0.
func (l layout) left() int { return indent + l.name + 1 + 5 + 1 }

// rowNames returns what the rows of a prompt are named after: its versions, or the
// evaluators when it has one version.
func (t Tables) rowNames(versions []Version) (names []string) {
	if len(versions) == 1 {
		return slices.Sorted(maps.Keys(versions[0].Evals))
	}
	for _, v := range versions {
		names = append(names, t.valueName(v.PromptVersion))
	}
	return names
}

// prompt writes a prompt's rows: with one version a row an evaluator, else the versions
// side by side under each evaluator.
func (l layout) prompt(b *strings.Builder, versions []Version) {
	names := shorten(l.rowNames(versions), l.name)
	scale := scaleOf(versions, l.drawing)
	title := versions[0].PromptName
	if len(versions) == 1 {
		value := l.valueName(versions[0].PromptVersion) // it stays where the name of the prompt is cut
		title = l.title(truncate(title, max(maxNameWidth, lineWidth-2-columnsOf(value))), versions[0].PromptVersion)
	}
	if title == "" {
		title = "no prompt name"
	}
	l.head(b, readable(title), scale)
	if len(versions) == 1 {
		for i, evaluator := range l.rowNames(versions) {
			l.row(b, names[i], versions[0], evaluator, scale)
		}
		return
	}
	var evaluators []string
	for _, v := range versions {
		evaluators = slices.AppendSeq(evaluators, maps.Keys(v.Evals))
	}
	slices.Sort(evaluators)
	for _, evaluator := range slices.Compact(evaluators) {
		fmt.Fprintf(b, "  %s\n", truncate(evaluator, lineWidth-2))
		for i, v := range versions {
			l.row(b, names[i], v, evaluator, scale)
		}
	}
}

// head writes the title of a prompt, and above its rows their scale and columns. A long
// title has a line of its own.
func (l layout) head(b *strings.Builder, title string, s scale) {
	b.WriteByte('\n')
	left := l.left()
	labels := s.labels()
	if l.figures {
		labels = fmt.Sprintf("%-*s ", intervalWidth, "  95 %") + labels
	}
	title = truncate(title, lineWidth)
	if columnsOf(title) >= left-5 {
		fmt.Fprintln(b, title)
		title = ""
	}
	b.WriteString(pad(pad(title, left-5)+"pass", left) + labels)
	for i, c := range l.columns {
		fmt.Fprintf(b, " %*s", l.widths[i], c.head)
	}
	b.WriteByte('\n')
}

// row writes the verdicts of one evaluator on one version; nothing when there are none.
func (l layout) row(b *strings.Builder, name string, v Version, evaluator string, s scale) {
	e, ok := v.Evals[evaluator]
	if !ok {
		return
	}
	worse := l.regressed(v.PromptName, v.PromptVersion, evaluator)
	mark, rate, figures := "  ", "-", "-"
	if worse {
		mark = "▼ "
	}
	if e.PassRate != nil {
		rate = fmt.Sprintf("%.1f", 100**e.PassRate)
		figures = fmt.Sprintf("%.1f-%.1f", 100**e.Low, 100**e.High)
	}
	var line strings.Builder
	fmt.Fprintf(&line, "  %s%s %5s ", mark, pad(name, l.name), rate)
	if l.figures {
		fmt.Fprintf(&line, "%*s ", intervalWidth, figures)
	}
	line.WriteString(s.draw(e))
	for i, c := range l.columns {
		fmt.Fprintf(&line, " %*s", l.widths[i], c.text(e))
	}
	b.WriteString(l.paint(worse, line.String()) + "\n")
}

// paint returns a line in the colour of what is worse, where colours may be used. What
// it says stands in characters, too.
func (t Tables) paint(worse bool, line string) string {
	if !worse || !t.Color {
		return line
	}
	return "\x1b[31m" + line + "\x1b[0m"
}

// legend explains the columns that were printed.
func (l layout) legend(b *strings.Builder) {
	text := ""
	if len(l.Regressions) > 0 {
		text = "▼: worse, beyond chance, than what it was compared with. "
	}
	text += "|-o-|: the pass rate of all events, each verdict weighed by how likely it was to be sampled, and its 95\u00a0% interval. decided: pass or fail"
	notes := map[string]string{
		"worth":  "as many independent verdicts of equal weight say as much",
		"n/a":    "nothing there to evaluate",
		"unsure": "not decided",
		"error":  "the evaluator failed",
	}
	for _, c := range l.columns {
		if note, ok := notes[c.head]; ok {
			text += ". " + c.head + ": " + note
		}
	}
	b.WriteByte('\n')
	paragraph(b, text, "")
}

// scale maps pass rates to the columns of a drawing.
type scale struct {
	low   float64 // at the first column; the last one is 1
	width int
}

// scaleOf returns the narrowest scale that has room for all intervals of a prompt.
func scaleOf(versions []Version, width int) scale {
	least := 1.0
	for _, v := range versions {
		for _, e := range v.Evals {
			if e.Low != nil {
				least = min(least, *e.Low)
			}
		}
	}
	for _, low := range []float64{0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2} {
		if low <= least {
			return scale{low, width}
		}
	}
	return scale{0, width}
}

func (s scale) column(rate float64) int {
	at := (rate - s.low) / (1 - s.low) * float64(s.width-1)
	return min(max(int(at+0.5), 0), s.width-1)
}

// draw returns the rate as an o, and its interval as a line with ends, over dots at both
// ends of the scale and in the middle; only the dots when there is no rate.
func (s scale) draw(e Eval) string {
	line := []rune(strings.Repeat(" ", s.width))
	for _, at := range []float64{s.low, (s.low + 1) / 2, 1} {
		line[s.column(at)] = '.'
	}
	if e.PassRate == nil {
		return string(line)
	}
	low, high := s.column(*e.Low), s.column(*e.High)
	for i := low; i <= high; i++ {
		line[i] = '-'
	}
	line[low], line[high] = '|', '|'
	line[s.column(*e.PassRate)] = 'o'
	return string(line)
}

// labels returns the ends of the scale in percent.
func (s scale) labels() string {
	low := fmt.Sprintf("%.0f", 100*s.low)
	return low + fmt.Sprintf("%*s", s.width-len(low), "100 %")
}

func versionName(version string) string {
	if version == "" {
		return "(no version)"
	}
	return readable(version)
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
