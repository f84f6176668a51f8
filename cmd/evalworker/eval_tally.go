package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/internal/summary"
)

// tally counts what became of the lines of an input. It is used by one goroutine.
type tally struct {
	summary *summary.Summary
	events  eval.Accounting
	bad     []summary.DeadLetters // one a reason
	ignored map[string]int        // events by the field that was left out
	warned  cli.WarningCounts
	last    int // number of the last line
}

func newTally(s *summary.Summary) *tally {
	return &tally{summary: s, bad: []summary.DeadLetters{}, ignored: map[string]int{}}
}

// add counts one line.
func (t *tally) add(r *replay.Result) {
	t.last = r.Number
	t.events.Consumed++
	if r.Report != nil {
		t.summary.Report(r.Report) // also of an event that was not sampled: it counts as one that no verdict stands for
	}
	switch r.Disposition() {
	case eval.DispositionEvaluated:
		t.events.Evaluated++
	case eval.DispositionUnwanted:
		t.events.Unwanted++
	case eval.DispositionSampledOut:
		t.events.SampledOut++
	case eval.DispositionDeadLettered:
		t.events.DeadLettered++
		t.addBad(r)
	}
	if r.Report != nil {
		for _, field := range r.Report.Event.Ignored() {
			t.ignored[field]++
		}
		t.warned.Add(r.Warnings)
	}
}

// addBad counts a bad line by its reason.
func (t *tally) addBad(r *replay.Result) {
	reason := eval.ReasonOf(r.Err)
	i := slices.IndexFunc(t.bad, func(l summary.DeadLetters) bool { return l.Reason == reason })
	if i < 0 {
		i = len(t.bad)
		t.bad = append(t.bad, summary.DeadLetters{Reason: reason, Error: r.Reason(), Line: r.Number})
	}
	t.bad[i].Count++
}

// print writes the tables and the accounting. store is where cases are kept.
func (t *tally) print(w io.Writer, tables summary.Tables, blank int, store string) error {
	if err := tables.Print(w); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %d evaluated, %d unwanted, %d sampled out, %d bad", cli.Plural(int(t.events.Consumed), "line"),
		t.events.Evaluated, t.events.Unwanted, t.events.SampledOut, t.events.DeadLettered)
	if blank > 0 {
		fmt.Fprintf(&b, " (and %d blank)", blank)
	}
	b.WriteByte('\n')
	if t.events.Evaluated > 0 && store != inMemory {
		fmt.Fprintf(&b, "failing requests are kept in %s; see them with: %s datasets list --store %s\n", store, shellCommand("evalworker"), cli.Quote(store))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// evalSummary is the last line of eval --json.
type evalSummary struct {
	File string `json:"file"`
	// Interrupted says that the run ended before its input did; what it says is of the
	// lines before.
	Interrupted bool `json:"interrupted"`
	BlankLines  int  `json:"blank_lines"`
	summary.Result
	Ignored  map[string]int     `json:"ignored"`  // events by the field that was left out
	Warnings []cli.WarningCount `json:"warnings"` // members that are not read, as they were published
}

// countTimeout bounds the time for counting the cases at the end.
const countTimeout = 10 * time.Second

// dataset counts what the store holds, also after an interrupt.
func dataset(ctx context.Context, off *app.Offline, store string, added int64) (summary.Dataset, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTimeout)
	defer cancel()
	d := summary.Dataset{Store: store, New: int(added)}
	cases := off.Cases()
	counts, err := cases.Counts(ctx)
	if err == nil {
		_, d.Causes, err = cases.Groups(ctx, datasets.ByCause, datasets.Filter{Limit: 1})
	}
	if err != nil {
		return d, fmt.Errorf("count the cases: %w", err)
	}
	d.Cases, d.Occurrences = counts.Cases, counts.Occurrences
	return d, nil
}

// printSummary writes the last line of eval --json.
func printSummary(w io.Writer, s evalSummary) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(map[string]evalSummary{"summary": s})
}

// caseCount is the recorder of a pipeline whose reports are counted where they are
// printed, in the order of their lines. It counts the failures that were kept.
type caseCount struct{ atomic.Int64 }

// Report does nothing.
func (*caseCount) Report(*eval.Report) {}

// Skipped does nothing.
func (*caseCount) Skipped(eval.Disposition, int) {}

// Cases counts failures that are new in the store.
func (c *caseCount) Cases(_ *eval.Report, n int) { c.Add(int64(n)) }
