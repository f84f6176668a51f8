package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/policy"
)

// labelFlags are the options of a measurement: the command eval with labels.
type labelFlags struct {
	field     string
	evaluator string
	misses    int
	content   bool
}

func (f *labelFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.field, "labels", "", "measure the verdicts against the truth in this `FIELD` of each line")
	cmd.Flags().StringVar(&f.evaluator, "evaluator", "", "run only this evaluator")
	cmd.Flags().IntVar(&f.misses, "misses", defaultMisses, "with --labels: print so many misses of an evaluator; -1 prints all")
	cmd.Flags().BoolVar(&f.content, "show-output", false, "with --labels: show the beginning of the output of each miss")
}

// apply restricts the configuration to what is measured. Without a configuration
// file, any kind that needs no settings may be named.
func (f *labelFlags) apply(cfg *config.Config, own bool, file string) error {
	if f.field != "" {
		cfg.RunAll()
	}
	if f.evaluator == "" {
		return nil
	}
	names := evaluatorNames(cfg)
	if i := slices.Index(names, f.evaluator); i >= 0 {
		cfg.Evaluators = cfg.Evaluators[i : i+1]
		return nil
	}
	if !own {
		cfg.Evaluators = []policy.EvaluatorConfig{{Name: f.evaluator, Type: f.evaluator}}
		if cfg.Validate().Err() == nil {
			return nil
		}
	}
	problem := fmt.Sprintf("no evaluator %q", f.evaluator)
	if own && file != "" {
		problem += " in " + file
	}
	return fault.List{{Path: "--evaluator", Problem: problem, Expected: fault.Suggest(f.evaluator, names, "")}}
}

// measurement compares verdicts with labels.
type measurement struct {
	labelFlags
	file       string
	evaluators []string
	agreement  *summary.Agreement
	unlabelled int
	foreign    map[string]bool // evaluators that have a truth and do not run, at most maxForeign
}

// defaultMisses is the number of misses of an evaluator that a person is shown; JSON
// has all of them.
const defaultMisses = 20

// newMeasurement returns the measurement that the flags ask for, or nil.
func newMeasurement(f labelFlags, file string, asJSON bool, cfg *config.Config) *measurement {
	if f.field == "" {
		return nil
	}
	misses := f.misses
	if asJSON && misses == defaultMisses {
		misses = -1
	}
	return &measurement{labelFlags: f, file: file, evaluators: evaluatorNames(cfg), agreement: summary.NewAgreement(misses), foreign: map[string]bool{}}
}

// maxForeign bounds the evaluators that are named because they do not run.
const maxForeign = 50

// maxShown is the number of characters of an output that a miss shows.
const maxShown = 300

// add compares the verdicts on one line with its labels.
func (m *measurement) add(r replay.Result) error {
	if r.Report == nil {
		return nil // reported as a bad line
	}
	only := m.evaluator
	if only == "" && len(m.evaluators) == 1 {
		only = m.evaluators[0]
	}
	value := replay.Member(r.Text, m.field)
	if value == nil {
		m.unlabelled++
		return nil
	}
	truth, err := summary.ParseTruth(value, only)
	switch {
	case errors.Is(err, summary.ErrWhose):
		return m.wrong(r.Number, err, "name the one that the labels are for with --evaluator, such as --evaluator "+m.evaluators[0]+"; or make each an object, such as {\""+m.evaluators[0]+"\": LABEL}")
	case err != nil:
		return m.wrong(r.Number, err, `want a string such as "refused", "fail" or "fail/refused", or an object such as {"refusal": "refused"}`)
	case len(truth) == 0:
		m.unlabelled++
		return nil
	}
	for name := range truth {
		if !slices.Contains(m.evaluators, name) {
			if len(m.foreign) < maxForeign {
				m.foreign[name] = true
			}
			delete(truth, name)
		}
	}
	output := ""
	if m.content {
		output = replay.Beginning(r.Report.Event.Answer().Text, maxShown)
	}
	if err := m.agreement.Add(r.Number, truth, r.Report, output); err != nil {
		return m.wrong(r.Number, err, "name a field that holds labels")
	}
	return nil
}

func (m *measurement) wrong(line int, err error, expected string) error {
	return fault.List{{File: m.file, Line: line, Column: 1, Path: m.field, Problem: err.Error(), Expected: expected}}
}

// print writes the measures.
func (m *measurement) print(w io.Writer, t replay.Totals, asJSON bool) error {
	if taken := t.Events - t.Bad; taken > 0 && m.unlabelled == taken {
		return fault.List{{Path: "--labels", Problem: fmt.Sprintf("no line has the field %q", m.field), Expected: "name the field that holds the labels"}}
	}
	measures := m.agreement.Measures()
	if asJSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(struct {
			Lines      int               `json:"lines"`
			Bad        int               `json:"bad"`
			Unlabelled int               `json:"unlabelled"`
			Evaluators []summary.Measure `json:"evaluators"`
		}{t.Events, t.Bad, m.unlabelled, measures})
	}
	if err := summary.PrintMeasures(w, measures); err != nil {
		return err
	}
	var b strings.Builder
	if len(measures) > 0 {
		b.WriteString("\nprecision: of the events with this verdict, those with this truth; recall: the reverse; intervals of 95 %\n")
	}
	fmt.Fprintf(&b, "%s: %d labelled, %d without %s, %d bad\n", cli.Plural(t.Events, "line"), t.Events-t.Bad-m.unlabelled, m.unlabelled, m.field, t.Bad)
	for _, name := range slices.Sorted(maps.Keys(m.foreign)) {
		fmt.Fprintf(&b, "labels of %s are left out: no evaluator of this name runs\n", name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
