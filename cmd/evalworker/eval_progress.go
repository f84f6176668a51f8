package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/judges/model"
)

// progressInterval is the time between two lines of progress where there is no bar.
const progressInterval = 10 * time.Second

// evalProgress shows how far an evaluation is: by a bar on a terminal, elsewhere by a
// line every 10 s. It is safe for concurrent use.
type evalProgress struct {
	out  io.Writer // standard error
	bar  cli.Progress
	stop func() // ends the lines

	mu      sync.Mutex // guards all fields below
	size    int64      // of the file; -1 when it is not known
	bytes   int64
	events  int
	errors  int               // verdicts
	waiting map[string]string // why the calls of a model wait, by its name
	before  int               // events at the last line
	at      time.Time         // of the last line
}

// newEvalProgress returns a progress on a standard error, which out shares with others.
func newEvalProgress(stderr, out io.Writer, size int64) *evalProgress {
	p := &evalProgress{out: out, size: size, waiting: map[string]string{}, at: time.Now(), bar: cli.NewProgress(stderr, size, "bytes", true), stop: func() {}}
	if !cli.IsTerminal(stderr) {
		p.stop = cli.StartLines(out, progressInterval, p.line)
	}
	return p
}

// add counts a line of the input.
func (p *evalProgress) add(r *replay.Result) {
	p.bar.Set(r.Bytes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes = r.Bytes
	p.events++
	if r.Report == nil {
		return
	}
	for i := range r.Report.Verdicts {
		if r.Report.Verdicts[i].Outcome == eval.OutcomeError {
			p.errors++
		}
	}
}

// line returns the line of progress that is due now.
func (p *evalProgress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	rate := float64(p.events-p.before) / max(now.Sub(p.at).Seconds(), 0.001)
	p.before, p.at = p.events, now
	var b strings.Builder
	fmt.Fprintf(&b, "progress: %s", cli.Plural(p.events, "line"))
	if p.size > 0 {
		fmt.Fprintf(&b, " (%d %%)", 100*min(p.bytes, p.size)/p.size)
	}
	fmt.Fprintf(&b, ", %.1f a second, %s", rate, cli.Plural(p.errors, "error"))
	for _, name := range slices.Sorted(maps.Keys(p.waiting)) {
		fmt.Fprintf(&b, ", waiting for model %s (%s)", name, p.waiting[name])
	}
	return b.String()
}

// say writes a line in place of the bar, which the next step draws again.
func (p *evalProgress) say(format string, args ...any) {
	p.bar.Clear()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// wait says that the calls of a model wait.
func (p *evalProgress) wait(w model.Waiting) {
	p.mu.Lock()
	p.waiting[w.Model] = string(w.Reason)
	p.mu.Unlock()
	p.say("waiting for model %s (%s) since %s; gives up after %s", w.Model, w.Reason, w.For.Round(time.Second), w.Limit)
}

// resume says that a model answers again.
func (p *evalProgress) resume(model string) {
	p.mu.Lock()
	delete(p.waiting, model)
	p.mu.Unlock()
	p.say("model %s answers", model)
}

// giveUp says that a model is called no more, and why.
func (p *evalProgress) giveUp(model, text string) {
	p.mu.Lock()
	delete(p.waiting, model)
	p.mu.Unlock()
	p.say("%s", text)
}

// finish ends the progress. It may be called more than once.
func (p *evalProgress) finish() {
	p.stop()
	p.bar.Finish()
}
