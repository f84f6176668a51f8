package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/store"
)

// Result holds the findings of a demo.
type Result struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Judge    string `json:"judge"` // "scripted", or the model's name
	summary.Result
	Took time.Duration `json:"-"` // from the first event published to the last one evaluated
}

// Play publishes the events, waits until each has ended, exports the cases and compares
// the findings with the scenario's truth. It may be called once.
func (d *Demo) Play(ctx context.Context) (*Result, error) {
	started := time.Now()
	dead, err := d.publishAndWait(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{
		Scenario: d.cfg.Scenario, Seed: d.cfg.Seed, Judge: "scripted",
		Result: d.summary.Result(summary.DefaultMaxErrors), Took: time.Since(started),
	}
	r.Events, r.DeadLetters = d.worker.Status().Events, dead
	if !d.judge.scripted() {
		r.Judge = d.judge.model
	}
	if r.Dataset, err = d.export(ctx); err != nil {
		return nil, err
	}
	d.verify(r)
	return r, nil
}

// publishAndWait publishes all messages and waits for the worker to finish them.
func (d *Demo) publishAndWait(ctx context.Context) ([]summary.DeadLetters, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := []summary.DeadLetters{}
	published := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		letters, err := d.publish(ctx)
		if err != nil {
			cancel(err)
			return
		}
		dead = append(dead, letters...)
		close(published)
	})
	err := d.awaitSettled(ctx, published)
	if err != nil {
		cancel(err)
	}
	publishing.Wait()
	if err == nil {
		err = context.Cause(ctx) // all events have ended, but the emitter failed to close
	}
	return dead, err
}

// settleTimeout bounds the wait for progress after everything is published.
const settleTimeout = time.Minute

// awaitSettled waits until every message has ended.
func (d *Demo) awaitSettled(ctx context.Context, published <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last int64
	moved, allPublished := time.Now(), false
	for {
		events := d.worker.Status().Events
		if d.deps.Progress != nil {
			d.deps.Progress(int(events.Consumed))
		}
		switch {
		// The worker counts a report before it passes the report on.
		case events.Consumed >= int64(d.cfg.Events) && events.Settled() && d.reported.Load() == events.Evaluated:
			return nil
		case events.Consumed != last:
			last, moved = events.Consumed, time.Now()
		case time.Since(moved) > settleTimeout && allPublished:
			return fmt.Errorf("nothing has happened for %s: %d of %d events have ended", settleTimeout, events.Consumed, d.cfg.Events)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.ended:
			return fmt.Errorf("the worker stopped after %d of %d events: %w", events.Consumed, d.cfg.Events, d.stopReason())
		case <-published:
			published, allPublished = nil, true
		case <-tick.C:
		}
	}
}

func (d *Demo) export(ctx context.Context) (_ summary.Dataset, err error) {
	db, err := store.Open(ctx, d.workerCfg.Store)
	if err != nil {
		return summary.Dataset{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	cases := datasets.NewCases(db)
	counts, err := cases.Counts(ctx)
	if err != nil {
		return summary.Dataset{}, err
	}
	_, causes, err := cases.Groups(ctx, datasets.ByCause, datasets.Filter{Limit: 1})
	if err != nil {
		return summary.Dataset{}, err
	}
	format := datasets.JSONL()
	out := summary.Dataset{
		Path: filepath.Join(d.addresses.Dir, "cases"+format.Ending), Causes: causes, Cases: counts.Cases, Occurrences: counts.Occurrences, New: counts.Occurrences,
	}
	f, err := os.OpenFile(out.Path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it holds users' texts, even if redacted
	if err != nil {
		return summary.Dataset{}, err
	}
	_, err = cases.Export(ctx, f, format, datasets.Filter{})
	return out, errors.Join(err, f.Close())
}

// MinEvents is the number of events with which a broken version must be found.
const MinEvents = 1000

// verify adds a problem for each check that fails.
func (d *Demo) verify(r *Result) {
	problem := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	if !r.Events.Settled() || r.Events.Consumed != int64(d.cfg.Events) {
		problem("accounting: %+v does not add up to %d events", r.Events, d.cfg.Events)
	}
	dead := 0
	for _, l := range r.DeadLetters {
		dead += l.Count
	}
	if r.Events.DeadLettered != int64(dead) {
		problem("dead letters: %d, but %d messages cannot be read", r.Events.DeadLettered, dead)
	}
	if err := checkJSONL(r.Dataset.Path); err != nil {
		problem("dataset: %v", err)
	}
	if d.judge.scripted() { // a real model may judge differently
		compare(r.Regressions, d.scenario.BrokenVersions(), d.cfg.Events, problem)
	}
}

// compare compares the regressions found with the broken versions.
func compare(found []summary.Comparison, broken []string, events int, problem func(string, ...any)) {
	var reported []string
	for _, f := range found {
		if !slices.Contains(broken, f.PromptVersion) && !slices.Contains(reported, f.PromptVersion) {
			reported = append(reported, f.PromptVersion)
			problem("false alarm: prompt version %s is not worse in this scenario", f.PromptVersion)
		}
	}
	for _, v := range broken {
		if events >= MinEvents && !slices.ContainsFunc(found, func(f summary.Comparison) bool { return f.PromptVersion == v }) {
			problem("missed: prompt version %s is worse in this scenario", v)
		}
	}
}

// checkJSONL returns an error unless a file has one JSON object per line.
func checkJSONL(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}
