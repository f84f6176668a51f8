package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// Result is what a demo found.
type Result struct {
	Scenario string         `json:"scenario"`
	Seed     uint64         `json:"seed"`
	Judge    string         `json:"judge"` // "scripted", or the model's name
	Events   app.Accounting `json:"events"`
	summary.Tables
	Dataset Dataset `json:"dataset"`
	// Problems are what did not hold, empty when all did.
	Problems []string      `json:"problems"`
	Took     time.Duration `json:"-"`
}

// Dataset is the export of the cases that the run kept.
type Dataset struct {
	Path        string `json:"path"`
	Cases       int    `json:"cases"`
	Occurrences int    `json:"occurrences"` // failures that the cases stand for
}

// Play publishes the events, waits until each has ended, exports the cases and
// compares what was found with what the scenario knows.
func (d *Demo) Play(ctx context.Context) (*Result, error) {
	started := time.Now()
	if err := d.publish(ctx); err != nil {
		return nil, err
	}
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	r := &Result{
		Scenario: d.cfg.Scenario, Seed: d.cfg.Seed, Judge: "scripted",
		Events: d.worker.Status().Events, Tables: d.summary.Tables(), Problems: []string{},
	}
	if !d.judge.scripted() {
		r.Judge = d.judge.model
	}
	var err error
	if r.Dataset, err = d.export(ctx); err != nil {
		return nil, err
	}
	d.verify(r)
	r.Took = time.Since(started)
	return r, nil
}

// publish sends the scenario's events through the emitter, as an application would.
func (d *Demo) publish(ctx context.Context) (err error) {
	cfg := emitter.DefaultConfig()
	cfg.Brokers, cfg.Topic, cfg.Block = []string{d.broker.Addr()}, topic, true
	em, err := emitter.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, em.Close(ctx)) }()
	var pace <-chan time.Time
	if gap := d.cfg.Duration / time.Duration(d.cfg.Events); gap > 0 {
		tick := time.NewTicker(gap)
		defer tick.Stop()
		pace = tick.C
	}
	n := 0
	for e := range d.scenario.Events(d.cfg.Seed, scenario.Options{Start: time.Now().Add(-time.Minute)}) {
		if pace != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-pace:
			}
		}
		if err := em.Emit(ctx, e); err != nil {
			return fmt.Errorf("publish event %d: %w", n+1, err)
		}
		if n++; n == d.cfg.Events {
			return nil
		}
	}
	return nil
}

// patience is how long nothing may happen before a demo gives up.
const patience = time.Minute

// settle waits until every published event has its disposition.
func (d *Demo) settle(ctx context.Context) error {
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
		case events.Consumed >= int64(d.cfg.Events) && events.Settled():
			return nil
		case events.Consumed != last:
			last, moved = events.Consumed, time.Now()
		case time.Since(moved) > patience:
			return fmt.Errorf("nothing has happened for %s: %d of %d events have ended", patience, events.Consumed, d.cfg.Events)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.ended:
			return fmt.Errorf("the worker stopped after %d of %d events: %w", events.Consumed, d.cfg.Events, d.err)
		case <-tick.C:
		}
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
	f, err := os.Create(out.Path)
	if err != nil {
		return Dataset{}, err
	}
	_, err = store.Export(ctx, f, datasets.JSONL, datasets.Filter{})
	return out, errors.Join(err, f.Close())
}

// enough is the number of events from which on a broken version must be found.
const enough = 1000

// verify notes what does not hold.
func (d *Demo) verify(r *Result) {
	if !r.Events.Settled() || r.Events.Consumed != int64(d.cfg.Events) {
		r.Problems = append(r.Problems, fmt.Sprintf("accounting: %+v does not add up to %d events", r.Events, d.cfg.Events))
	}
	if err := parses(r.Dataset.Path); err != nil {
		r.Problems = append(r.Problems, fmt.Sprintf("dataset: %v", err))
	}
	if !d.judge.scripted() {
		return // what a real model thinks of the scenario's answers is its own affair
	}
	broken := d.scenario.Broken()
	for _, found := range r.Regressions {
		if !slices.Contains(broken, found.PromptVersion) {
			r.Problems = append(r.Problems, "false alarm: prompt version "+found.PromptVersion+" is not worse in this scenario")
		}
	}
	for _, v := range broken {
		if d.cfg.Events >= enough && !slices.ContainsFunc(r.Regressions, func(f summary.Regression) bool { return f.PromptVersion == v }) {
			r.Problems = append(r.Problems, "missed: prompt version "+v+" is worse in this scenario")
		}
	}
}

// parses reports whether a dataset is one JSON object a line.
func parses(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}
