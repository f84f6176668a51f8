package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/summary"
)

// Result is what a demo found.
type Result struct {
	Scenario    string         `json:"scenario"`
	Seed        uint64         `json:"seed"`
	Judge       string         `json:"judge"` // "scripted", or the model's name
	Events      app.Accounting `json:"events"`
	DeadLetters []DeadLetters  `json:"dead_letters"`
	summary.Tables
	Dataset Dataset `json:"dataset"`
	// Problems are what did not hold, empty when all did.
	Problems []string      `json:"problems"`
	Took     time.Duration `json:"-"` // from the first event published to the last one finished
}

// Dataset is the export of the cases that the run kept.
type Dataset struct {
	Path        string `json:"path"`
	Cases       int    `json:"cases"`
	Occurrences int    `json:"occurrences"` // failures that the cases stand for
}

// Play publishes the events, waits until each has ended, exports the cases and
// compares what was found with what the scenario knows. It may be called once.
func (d *Demo) Play(ctx context.Context) (*Result, error) {
	started := time.Now()
	dead, err := d.publishAndWait(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{
		Scenario: d.cfg.Scenario, Seed: d.cfg.Seed, Judge: "scripted",
		Events: d.worker.Status().Events, DeadLetters: dead, Tables: d.summary.Tables(), Problems: []string{},
		Took: time.Since(started),
	}
	if !d.judge.scripted() {
		r.Judge = d.judge.model
	}
	if r.Dataset, err = d.export(ctx); err != nil {
		return nil, err
	}
	d.verify(r)
	return r, nil
}

// traffic publishes all messages while it waits for the worker to finish them.
func (d *Demo) publishAndWait(ctx context.Context) ([]DeadLetters, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := []DeadLetters{}
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
		err = context.Cause(ctx) // all has been finished, but the emitter did not close well
	}
	return dead, err
}

// patience is how long nothing may happen, once all is published, before a demo
// gives up.
const settleTimeout = time.Minute

// settle waits until every published message has its disposition.
func (d *Demo) awaitSettled(ctx context.Context, published <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last int64
	moved := time.Now()
	for {
		events := d.worker.Status().Events
		if d.deps.Progress != nil {
			d.deps.Progress(int(events.Consumed))
		}
		switch {
		// The worker counts a report before it hands it on.
		case events.Consumed >= int64(d.cfg.Events) && events.Settled() && d.reported.Load() == events.Evaluated:
			return nil
		case events.Consumed != last:
			last, moved = events.Consumed, time.Now()
		case time.Since(moved) > settleTimeout && isClosed(published):
			return fmt.Errorf("nothing has happened for %s: %d of %d events have ended", settleTimeout, events.Consumed, d.cfg.Events)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.ended:
			return fmt.Errorf("the worker stopped after %d of %d events: %w", events.Consumed, d.cfg.Events, d.stopReason())
		case <-tick.C:
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// export writes the cases as a dataset.
func (d *Demo) export(ctx context.Context) (_ Dataset, err error) {
	store, err := datasets.Open(ctx, d.workerCfg.Store)
	if err != nil {
		return Dataset{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	counts, err := store.Counts(ctx)
	if err != nil {
		return Dataset{}, err
	}
	out := Dataset{Path: filepath.Join(d.addresses.Dir, "cases.jsonl"), Cases: counts.Cases, Occurrences: counts.Occurrences}
	f, err := os.OpenFile(out.Path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // what users said, if redacted
	if err != nil {
		return Dataset{}, err
	}
	_, err = store.Export(ctx, f, datasets.JSONL, datasets.Filter{})
	return out, errors.Join(err, f.Close())
}
