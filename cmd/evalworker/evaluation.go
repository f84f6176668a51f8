package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/internal/summary"
)

// evaluation is one run of the command eval.
type evaluation struct {
	g        *globals
	cfg      *config.Config
	flags    *evalFlags
	file     string
	stderr   io.Writer // for several goroutines
	progress *evalProgress
	offline  *app.Offline
	found    *tally
	reports  *replay.Reports
	measured *measurement // nil without --labels
	gaveUp   outages
	kept     caseCount
}

// evaluate evaluates the lines of an input and prints what was found.
func evaluate(ctx context.Context, g *globals, cfg *config.Config, in *input, file string, f *evalFlags) (err error) {
	stderr := cli.Shared(g.stderr)
	if in.Empty {
		fmt.Fprintf(stderr, "%s: empty, so there is nothing to evaluate\n", file)
	}
	e := &evaluation{
		g: g, cfg: cfg, flags: f, file: file, stderr: stderr, progress: newEvalProgress(g.stderr, stderr, in.size),
		found:    newTally(summary.New(summary.Config{Unit: f.unit, By: f.by, Baseline: f.baseline})),
		measured: newMeasurement(f.labels, file, f.json, cfg),
	}
	defer e.progress.finish()
	liftTimeouts(cfg, f.errors.patience)
	e.offline, err = app.NewOffline(ctx, cfg, app.Deps{
		Log:     slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Version: cli.ReadBuild().Version, Recorder: &e.kept, Patience: f.errors.modelPatience(e.progress, &e.gaveUp),
	})
	if err != nil {
		return placed(err, g.file())
	}
	defer func() { err = errors.Join(err, e.offline.Close()) }()
	e.reports = replay.NewReports(g.stdout, e.offline.Redactor())

	totals, stopped := replay.Run(ctx, e.offline.Pipeline(), in, f.replay(), e.add)
	e.progress.finish()
	if e.measured == nil { // a file with labels has members of its own
		e.found.warned.Print(stderr)
	}
	if _, ok := errors.AsType[fault.List](stopped); ok {
		return stopped // a label that is none
	}
	return e.conclude(ctx, totals, stopped)
}

// add takes the result of one line.
func (e *evaluation) add(r replay.Result) error {
	e.found.add(&r)
	e.progress.add(&r)
	if r.Report == nil {
		e.progress.say("%s:%d: %s", e.file, r.Number, r.Reason())
	}
	switch {
	case e.measured != nil:
		return e.measured.add(r)
	case e.flags.json:
		return e.reports.Write(&r)
	}
	return nil
}

// conclude prints what was found. Its error says what was bad, which decides the exit
// code. stopped is why the run ended before its input did; nil when it did not.
func (e *evaluation) conclude(ctx context.Context, totals replay.Totals, stopped error) error {
	result := e.found.summary.Result(float64(e.flags.errors.most))
	result.Events, result.DeadLetters = e.found.events, e.found.bad
	result.Color = cli.Color(e.g.stdout, e.g.getenv)
	if stopped != nil {
		stopped = e.interrupted(stopped)
		return errors.Join(stopped, e.print(ctx, result, totals, errProblems{stopped.Error()}, true))
	}
	problems := e.problems(&result, totals)
	if err := e.print(ctx, result, totals, problems, false); err != nil {
		return err
	}
	if e.measured == nil {
		if err := checkBaseline(e.flags.baseline, result.Tables); err != nil {
			return err
		}
	}
	if note := e.flags.fail.note(&result); note != "" {
		fmt.Fprintln(e.stderr, note)
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// interrupted returns the error of a run that was stopped.
func (e *evaluation) interrupted(stopped error) error {
	kept := ""
	if e.cfg.Store.URL != inMemory {
		kept = ", up to which failing requests are kept in " + e.cfg.Store.URL
	}
	return fmt.Errorf("stopped after line %d%s: %w", e.found.last, kept, stopped)
}

// problems returns what changes the exit code of a run over the whole input.
func (e *evaluation) problems(result *summary.Result, totals replay.Totals) errProblems {
	problems := errProblems(e.flags.errors.problems(result.Tables, e.cfg))
	problems = append(problems, e.flags.fail.problems(result)...)
	if totals.Bad > 0 {
		problems = append(problems, fmt.Sprintf("%d of %s %s", totals.Bad, cli.Plural(totals.Events, "line"), cli.Choose(totals.Bad, "is no event", "are no events")))
	}
	return problems
}

// print prints the measures, the tables or the last line of JSON.
func (e *evaluation) print(ctx context.Context, result summary.Result, totals replay.Totals, problems errProblems, interrupted bool) error {
	out := e.g.stdout
	switch {
	case e.measured != nil && interrupted:
		return nil // half of a measurement says nothing
	case e.measured != nil:
		return e.measured.print(out, totals, e.flags.json)
	case e.flags.json:
		var err error
		result.Problems = append(append(result.Problems, e.gaveUp.all()...), problems...)
		warnings, _ := e.found.warned.List()
		result.Dataset, err = dataset(ctx, e.offline, e.cfg.Store.URL, e.kept.Load())
		return errors.Join(err, printSummary(out, evalSummary{
			File: e.file, Interrupted: interrupted, BlankLines: totals.Blank, Result: result, Ignored: e.found.ignored, Warnings: warnings,
		}))
	case interrupted:
		return result.Print(out)
	default:
		return e.found.print(out, result.Tables, totals.Blank, e.cfg.Store.URL)
	}
}

// inMemory is the store whose cases are gone when the command ends.
const inMemory = "sqlite::memory:"

// checkBaseline returns a fault when no prompt has the version that all others were to
// be compared with: nothing was compared, which looks like nothing was found.
func checkBaseline(given string, tables summary.Tables) error {
	var names []string
	for _, v := range tables.PromptVersions {
		names = append(names, v.PromptVersion)
	}
	if given == "" || len(names) == 0 || slices.Contains(names, given) {
		return nil
	}
	expected := "want one of the tables above"
	if near := fault.Nearest(given, names); near != "" {
		expected = fmt.Sprintf("did you mean %s?", near)
	}
	what := "version"
	if tables.By != summary.ByVersion {
		what = string(tables.By)
	}
	return fault.List{{Path: "--baseline", Problem: fmt.Sprintf("no prompt has a %s %q", what, given), Expected: expected}}
}
