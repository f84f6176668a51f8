package faults

import (
	"fmt"
	"slices"
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
	date         string // of the run
	in           int    // events published
	evaluated    int    // of those, by the model's own log
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
		r.title, r.date, strconv.Itoa(r.in), strconv.Itoa(r.evaluated), strconv.Itoa(r.deadLettered), strconv.Itoa(r.lost),
		strconv.Itoa(r.repeated), megabytes(r.rss), seconds(r.recover), seconds(r.exit), r.verdict(),
	}
}

var columns = []string{
	"scenario", "run on", "events in", "evaluated", "dead-lettered", "lost", "repeated", "peak RSS", "recover s", "exit s", "verdict",
}

// table is a table of a document, by the title in its first cell. A run of some rows
// replaces those, and leaves the others as the run before made them.
type table struct {
	columns []string
	texts   int // the first columns, and the last one, are texts; those between are numbers
	lines   [][]string
}

// merge replaces lines by their titles, adds new ones and orders all as titles does;
// lines of titles that are not in it go.
func (t *table) merge(lines [][]string, titles []string) {
	byTitle := map[string][]string{}
	for _, line := range slices.Concat(t.lines, lines) {
		byTitle[line[0]] = line
	}
	t.lines = nil
	for _, title := range titles {
		if line := byTitle[title]; line != nil {
			t.lines = append(t.lines, line)
		}
	}
}

// read takes the lines of a table that String wrote. Lines with another number of
// cells, as an older form of the table has, are left out.
func (t *table) read(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| "+t.columns[0]+" ") || strings.HasPrefix(line, "| -") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == len(t.columns) {
			t.lines = append(t.lines, cells)
		}
	}
}

// widest is the width up to which columns are padded.
const widest = 80

// String returns the table in Markdown, which also reads well on a terminal.
func (t *table) String() string {
	lines := slices.Concat([][]string{t.columns}, t.lines)
	width := make([]int, len(t.columns))
	for _, cells := range lines {
		for i, c := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	last := len(width) - 1
	for i := range width {
		if i == last || width[i] > widest {
			width[i] = 0 // a long text is not followed by what has to stand in line
		}
	}
	isText := func(i int) bool { return i < t.texts || i == last }
	var b strings.Builder
	for n, cells := range lines {
		for i, c := range cells {
			pad := strings.Repeat(" ", max(width[i]-utf8.RuneCountInString(c), 0))
			if isText(i) {
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
				if !isText(i) {
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

func TestTable(t *testing.T) {
	t.Parallel()
	rows := []row{
		{title: "short", date: "2026-11-30", in: 5, evaluated: 5, recover: none, exit: 1500 * time.Millisecond, rss: 30 << 20, notes: []string{"a note"}},
		{title: "a longer title", date: "2026-11-30", in: 12_000, evaluated: 11_999, lost: 1, recover: 2 * time.Second, exit: none, broken: []string{"1 lost"}},
	}
	outcomes := &table{columns: columns, texts: 2}
	outcomes.merge([][]string{rows[0].cells(), rows[1].cells()}, []string{"a longer title", "short"})
	want := `| scenario       | run on     | events in | evaluated | dead-lettered | lost | repeated | peak RSS | recover s | exit s | verdict |
| -------------- | ---------- | --------: | --------: | ------------: | ---: | -------: | -------: | --------: | -----: | --- |
| a longer title | 2026-11-30 |     12000 |     11999 |             0 |    1 |        0 |        - |       2.0 |      - | BROKEN: 1 lost |
| short          | 2026-11-30 |         5 |         5 |             0 |    0 |        0 |    30 MB |         - |    1.5 | holds (a note) |
`
	if got := outcomes.String(); got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
	again := &table{columns: columns, texts: 2}
	again.read(want)
	rows[0].in = 6
	again.merge([][]string{rows[0].cells()}, []string{"short", "a longer title"})
	if len(again.lines) != 2 || again.lines[0][2] != "6" || again.lines[1][5] != "1" {
		t.Errorf("a second run: %q", again.lines)
	}
	again.merge(nil, []string{"short"})
	if len(again.lines) != 1 {
		t.Errorf("a row that is no more: %q", again.lines)
	}
}
