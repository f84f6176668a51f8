package faults

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// logLine is a line of a log.
type logLine struct {
	at  time.Time
	msg string
}

// logLines returns the lines of a worker's log.
func (k *worker) logLines() []logLine {
	k.t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil {
		k.t.Fatal(err)
	}
	var lines []logLine
	last := time.Time{}
	for line := range strings.Lines(string(text)) {
		var l struct {
			Time time.Time
			Msg  string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			l.Time, l.Msg = last, "a line that is no JSON"
		}
		last = l.Time
		lines = append(lines, logLine{l.Time, l.Msg})
	}
	return lines
}

// busiest returns the lines of the minute with the most of them. A minute may begin
// with any line.
func busiest(lines []logLine) []logLine {
	slices.SortStableFunc(lines, func(a, b logLine) int { return a.at.Compare(b.at) })
	var most []logLine
	first := 0
	for i, l := range lines {
		for l.at.Sub(lines[first].at) >= time.Minute {
			first++
		}
		if n := i + 1 - first; n > len(most) {
			most = lines[first : i+1]
		}
	}
	return most
}

// messages counts lines by their message, the most frequent ones first.
func messages(lines []logLine) string {
	counts := map[string]int{}
	for _, l := range lines {
		counts[l.msg]++
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	parts := make([]string, 0, len(names))
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %q", counts[name], name))
	}
	return strings.Join(parts, ", ")
}

// logLimit bounds the log lines of a worker in any minute.
const logLimit = 30

// logs asserts that the workers' logs can be read by a person.
func (c *churn) logs() {
	c.t.Helper()
	for _, name := range churnWorkers {
		lines := c.workers[name].logLines()
		most := busiest(lines)
		c.measured("log lines a minute of "+name, len(most) <= logLimit, fmt.Sprintf("at most %d", logLimit), "%d, %d in all", len(most), len(lines))
		if len(most) > 0 {
			c.t.Logf("worker %s, the busiest minute from %s: %s", name, most[0].at.UTC().Format(clock), messages(most))
		}
		c.t.Logf("worker %s, all lines: %s", name, messages(lines))
	}
}

func TestBusiest(t *testing.T) {
	t.Parallel()
	at := func(s int, msg string) logLine { return logLine{time.Unix(int64(s), 0), msg} }
	lines := []logLine{at(0, "a"), at(50, "b"), at(59, "a"), at(60, "c"), at(61, "c"), at(109, "c"), at(110, "d"), at(300, "e")}
	if got, want := messages(busiest(lines)), `3 "c", 1 "a", 1 "b"`; got != want {
		t.Errorf("busiest minute: %s, want %s", got, want)
	}
	if busiest(nil) != nil {
		t.Error("a minute of no lines")
	}
}
