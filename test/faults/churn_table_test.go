package faults

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// measure is one line of the table of a run with churn.
type measure struct {
	what, found, bound string
	broken             bool
}

// measured adds a line, and asserts its bound.
func (c *churn) measured(what string, holds bool, bound, found string, args ...any) {
	c.t.Helper()
	found = fmt.Sprintf(found, args...)
	c.table = append(c.table, measure{what, found, bound, !holds})
	c.bound(holds, "%s: %s, want %s", what, found, bound)
}

// heading returns the lines above the table: how it was made.
func (c *churn) heading() string {
	return fmt.Sprintf("`make soak-churn TIME=%v` on %s, %s, %s, %d cores. Events a second: %d; reloads: %d; partitions: %d to %d; restarts of the store: %d; outages of the judge: %d, of the agent: %d.\n\n",
		c.lasts, time.Now().UTC().Format(time.DateOnly), containers.KafkaImage, containers.PostgresImage, runtime.NumCPU(), churnRate,
		c.applied+c.refused, firstPartitions, c.partitions, c.restarts, len(c.judgeDown), len(c.sink.away))
}

// renderMeasures prints lines as a Markdown table, which also reads well on a terminal.
func renderMeasures(lines []measure) string {
	rows := [][4]string{{"what", "bound", "found", "verdict"}}
	for _, m := range lines {
		verdict := "holds"
		if m.broken {
			verdict = "BROKEN"
		}
		rows = append(rows, [4]string{m.what, m.bound, m.found, verdict})
	}
	var width [4]int
	for _, cells := range rows {
		for i, cell := range cells {
			width[i] = max(width[i], min(utf8.RuneCountInString(cell), 80))
		}
	}
	var b strings.Builder
	line := func(cells [4]string) {
		for i, cell := range cells {
			b.WriteString("| " + cell + strings.Repeat(" ", max(width[i]-utf8.RuneCountInString(cell), 0)) + " ")
		}
		b.WriteString("|\n")
	}
	line(rows[0])
	var rule [4]string
	for i, n := range width {
		rule[i] = strings.Repeat("-", n)
	}
	line(rule)
	for _, cells := range rows[1:] {
		line(cells)
	}
	return b.String()
}

// The marks between which a document has the table of a run with churn.
const (
	churnBegin = "<!-- soak-churn: written by make soak-churn, not by hand -->\n"
	churnEnd   = "<!-- soak-churn: end -->\n"
)

// writeChurn puts a table between the marks of a document.
func writeChurn(file, table string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	text, err := between(string(old), churnBegin, churnEnd, table)
	if err != nil {
		return fmt.Errorf("write table: %s: %w", file, err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { // a document for all users
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// between replaces what stands between two marks.
func between(document, begin, end, text string) (string, error) {
	before, rest, ok := strings.Cut(document, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New("it lacks the marks " + strings.TrimSpace(begin) + " and " + strings.TrimSpace(end))
	}
	return before + begin + text + end + after, nil
}

func TestRenderMeasures(t *testing.T) {
	t.Parallel()
	got := renderMeasures([]measure{{what: "events lost", bound: "0", found: "0"}, {what: "log", bound: "30", found: "31 in a minute", broken: true}})
	want := `| what        | bound | found          | verdict |
| ----------- | ----- | -------------- | ------- |
| events lost | 0     | 0              | holds   |
| log         | 30    | 31 in a minute | BROKEN  |
`
	if got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	got, err := between("# A\n<b>old\n<e>after\n", "<b>", "<e>", "new\n")
	if want := "# A\n<b>new\n<e>after\n"; got != want || err != nil {
		t.Errorf("between = %q, %v, want %q", got, err, want)
	}
	for _, document := range []string{"", "no marks", "<b>no end", "<e><b>"} {
		if got, err := between(document, "<b>", "<e>", "new"); err == nil {
			t.Errorf("between(%q) = %q, want an error", document, got)
		}
	}
}
