package faults

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// none is a time that a row does not have.
const none time.Duration = -1

// row is the outcome of a scenario.
type row struct {
	title        string
	in           int // events published
	evaluated    int // of those, by the model's own log
	deadLettered int
	lost         int           // published, and neither evaluated nor put aside nor deleted by retention
	repeated     int           // evaluations beyond the first of each published copy
	rss          int64         // largest resident memory of a worker, in bytes
	recover      time.Duration // from the fault's end until all partitions are consumed
	exit         time.Duration // from SIGTERM to the exit
	broken       []string      // bounds that did not hold
	notes        []string      // remarks
}

// verdict returns whether every bound held, in words.
func (r row) verdict() string {
	out := "holds"
	if len(r.broken) > 0 {
		out = "BROKEN: " + strings.Join(r.broken, "; ")
	}
	if len(r.notes) > 0 {
		out += " (" + strings.Join(r.notes, "; ") + ")"
	}
	return out
}

func (r row) cells() []string {
	return []string{
		r.title, strconv.Itoa(r.in), strconv.Itoa(r.evaluated), strconv.Itoa(r.deadLettered), strconv.Itoa(r.lost),
		strconv.Itoa(r.repeated), megabytes(r.rss), seconds(r.recover), seconds(r.exit), r.verdict(),
	}
}

var columns = []string{
	"scenario", "events in", "evaluated", "dead-lettered", "lost", "repeated", "peak RSS", "recover s", "exit s", "verdict",
}

// render prints rows as a Markdown table, which also reads well on a terminal.
func render(rows []row) string {
	lines := [][]string{columns}
	for _, r := range rows {
		lines = append(lines, r.cells())
	}
	width := make([]int, len(columns))
	for _, cells := range lines {
		for i, c := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	width[len(width)-1] = 0 // verdicts are long, and the last column
	var b strings.Builder
	for n, cells := range lines {
		for i, c := range cells {
			pad := strings.Repeat(" ", max(width[i]-utf8.RuneCountInString(c), 0))
			if text := i == 0 || i == len(cells)-1; text {
				c += pad
			} else {
				c = pad + c
			}
			b.WriteString("| " + c + " ")
		}
		b.WriteString("|\n")
		if n == 0 {
			for i := range cells {
				rule := strings.Repeat("-", max(width[i], 3))
				if i > 0 && i < len(cells)-1 {
					rule = rule[1:] + ":"
				}
				b.WriteString("| " + rule + " ")
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

func seconds(d time.Duration) string {
	if d == none {
		return "-"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

func megabytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MB", n>>20)
}

func TestRender(t *testing.T) {
	t.Parallel()
	got := render([]row{
		{title: "short", in: 5, evaluated: 5, recover: none, exit: 1500 * time.Millisecond, rss: 30 << 20, notes: []string{"a note"}},
		{title: "a longer title", in: 12_000, evaluated: 11_999, lost: 1, recover: 2 * time.Second, exit: none, broken: []string{"1 lost"}},
	})
	want := `| scenario       | events in | evaluated | dead-lettered | lost | repeated | peak RSS | recover s | exit s | verdict |
| -------------- | --------: | --------: | ------------: | ---: | -------: | -------: | --------: | -----: | --- |
| short          |         5 |         5 |             0 |    0 |        0 |    30 MB |         - |    1.5 | holds (a note) |
| a longer title |     12000 |     11999 |             0 |    1 |        0 |        - |       2.0 |      - | BROKEN: 1 lost |
`
	if got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
}
