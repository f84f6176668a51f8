package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/visible"
)

// WarningCount is a warning and the number of events of an input that have it.
type WarningCount struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
	Mend    string `json:"mend,omitempty"`
	Events  int    `json:"events"`

	unknown bool // the problem is that nobody knows the field
}

// String returns the count in one line.
func (c WarningCount) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ignored in %s", c.Field, Plural(c.Events, "event"))
	if !c.unknown {
		fmt.Fprintf(&b, " (%s)", c.Problem)
	}
	if c.Mend != "" {
		b.WriteString(", " + c.Mend)
	}
	return b.String()
}

// WarningCounts counts the warnings about the events of an input. The zero value is ready;
// it is for one goroutine.
type WarningCounts struct {
	events map[event.Warning]int
	more   int
}

const (
	maxCounted = 1000 // bounds the different warnings that are counted, because names may be data
	maxListed  = 20   // bounds the warnings that are listed
)

// Add counts the warnings of one event.
func (c *WarningCounts) Add(warned event.Warnings) {
	if c.events == nil && len(warned.List) > 0 {
		c.events = map[event.Warning]int{}
	}
	c.more += warned.More
	for _, w := range warned.List {
		if _, known := c.events[w]; !known && len(c.events) == maxCounted {
			c.more++
			continue
		}
		c.events[w]++
	}
}

// List returns the warnings of most events, at most 20, for a summary in JSON; it is never
// nil. more is the number of warnings that are in none of them.
func (c *WarningCounts) List() (counts []WarningCount, more int) {
	order := slices.SortedFunc(maps.Keys(c.events), func(a, b event.Warning) int {
		return cmp.Or(cmp.Compare(c.events[b], c.events[a]), cmp.Compare(a.Field, b.Field), cmp.Compare(a.String(), b.String()))
	})
	counts, more = []WarningCount{}, c.more
	for i, w := range order {
		if i >= maxListed {
			more += c.events[w]
			continue
		}
		counts = append(counts, WarningCount{w.Field, w.Problem, w.Mend(), c.events[w], w.Unknown()})
	}
	return counts, more
}

// Print writes what List returns, one warning a line. Names are the application's, so what
// a terminal would obey is left out of them.
func (c *WarningCounts) Print(w io.Writer) {
	counts, more := c.List()
	oneLine := strings.NewReplacer("\n", " ", "\r", " ")
	for _, count := range counts {
		fmt.Fprintln(w, oneLine.Replace(visible.Text(count.String())))
	}
	if more > 0 {
		fmt.Fprintf(w, "and %s more\n", Plural(more, "warning"))
	}
}
