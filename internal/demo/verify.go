package demo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/evalworker/evalworker/internal/summary"
)

// enough is the number of events from which on a broken version must be found.
const minEvents = 1000

// verify notes what does not hold.
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
	if d.judge.scripted() { // what a real model thinks of the scenario's answers is its own affair
		compare(r.Regressions, d.scenario.BrokenVersions(), d.cfg.Events, problem)
	}
}

// compare holds what was found against what the scenario admits.
func compare(found []summary.Regression, broken []string, events int, problem func(string, ...any)) {
	var told []string
	for _, f := range found {
		if !slices.Contains(broken, f.PromptVersion) && !slices.Contains(told, f.PromptVersion) {
			told = append(told, f.PromptVersion)
			problem("false alarm: prompt version %s is not worse in this scenario", f.PromptVersion)
		}
	}
	for _, v := range broken {
		if events >= minEvents && !slices.ContainsFunc(found, func(f summary.Regression) bool { return f.PromptVersion == v }) {
			problem("missed: prompt version %s is worse in this scenario", v)
		}
	}
}

// parses reports what is wrong with a dataset that should be one JSON object a
// line.
func checkJSONL(path string) (err error) {
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
