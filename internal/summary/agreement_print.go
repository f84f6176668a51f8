package summary

import (
	"fmt"
	"io"
	"strings"
)

// Bounds of what is printed.
const (
	maxColumns     = 5 // verdicts beside each other in a confusion table
	maxClassWidth  = 14
	maxModelsShown = 20
)

// PrintMeasures writes the agreement of each evaluator in at most 100 columns.
func PrintMeasures(w io.Writer, measures []Measure) error {
	var b strings.Builder
	for i, m := range measures {
		if i > 0 {
			b.WriteByte('\n')
		}
		m.print(&b)
	}
	_, err := io.WriteString(w, keepOrder(b.String()))
	return err
}

func (m Measure) print(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %d labelled events, %s agree", m.Eval, m.Events, percent(m.Accuracy))
	if m.Kappa != nil {
		fmt.Fprintf(b, ", kappa %.2f", *m.Kappa)
	}
	b.WriteString("\n\n")
	m.printConfusion(b)
	b.WriteByte('\n')
	measureRow(b, "", "label", "true", "found", "precision", "95 % interval", "recall", "95 % interval", "F1")
	m.printLabels(b, "")
	for i, model := range m.Models {
		if i == 0 {
			b.WriteString("\nby model\n")
		}
		if i == maxModelsShown {
			fmt.Fprintf(b, "and %d more\n", len(m.Models)-i)
			break
		}
		fmt.Fprintf(b, "%s: %d events, %s agree\n", truncate(model.Model, 40), model.Events, percent(model.Accuracy))
		model.printLabels(b, "  ")
	}
	if m.Missed > 0 && len(m.Misses) > 0 {
		fmt.Fprintf(b, "\nmisses (%d of %d)\n", len(m.Misses), m.Missed)
	}
	for _, miss := range m.Misses {
		fmt.Fprintf(b, "  line %d  %s  %s -> %s", miss.Line, truncate(miss.RequestID, 36), readable(miss.Truth), readable(miss.Verdict))
		if miss.Reason != "" {
			fmt.Fprintf(b, "  (%s)", truncate(miss.Reason, 40))
		}
		b.WriteByte('\n')
		if miss.Output != "" {
			fmt.Fprintf(b, "    %q\n", miss.Output)
		}
	}
}

// printConfusion prints the table of truths and verdicts, or a list when there are
// more verdicts than columns.
func (m Measure) printConfusion(b *strings.Builder) {
	var verdicts []string
	for _, l := range m.Labels {
		if l.Found > 0 {
			verdicts = append(verdicts, l.Label)
		}
	}
	if len(verdicts) > maxColumns {
		fmt.Fprintf(b, "%s  %s  events\n", pad("truth", 2*maxClassWidth), pad("verdict", 2*maxClassWidth))
		for _, truth := range m.Labels {
			for _, v := range verdicts {
				if n := m.Confusion[truth.Label][v]; n > 0 {
					fmt.Fprintf(b, "%s  %s  %6d\n", pad(truncate(truth.Label, 2*maxClassWidth), 2*maxClassWidth), pad(truncate(v, 2*maxClassWidth), 2*maxClassWidth), n)
				}
			}
		}
		return
	}
	b.WriteString(pad("truth|verdict", maxClassWidth))
	for _, v := range verdicts {
		v = truncate(v, maxClassWidth)
		b.WriteString("  " + strings.Repeat(" ", maxClassWidth-columnsOf(v)) + v)
	}
	b.WriteByte('\n')
	for _, truth := range m.Labels {
		if truth.True == 0 {
			continue
		}
		b.WriteString(pad(truncate(truth.Label, maxClassWidth), maxClassWidth))
		for _, v := range verdicts {
			fmt.Fprintf(b, "  %*d", maxClassWidth, m.Confusion[truth.Label][v])
		}
		b.WriteByte('\n')
	}
}

func (m Measure) printLabels(b *strings.Builder, indent string) {
	for _, l := range m.Labels {
		f1 := "-"
		if l.F1 != nil {
			f1 = fmt.Sprintf("%.2f", *l.F1)
		}
		measureRow(b, indent, truncate(l.Label, 24), fmt.Sprint(l.True), fmt.Sprint(l.Found), percent(l.Precision), interval(l.Precision), percent(l.Recall), interval(l.Recall), f1)
	}
}

func measureRow(b *strings.Builder, indent, label, known, found, precision, low, recall, high, f1 string) {
	fmt.Fprintf(b, "%s %5s  %5s  %9s  %13s  %7s  %13s  %4s\n", pad(indent+label, 26), known, found, precision, low, recall, high, f1)
}

func percent(s *Share) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*s.Value)
}

func interval(s *Share) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f - %.1f", 100*s.Low, 100*s.High)
}
