package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/policy"
)

// evalFlags are the options of the command eval.
type evalFlags struct {
	json        bool
	all         bool
	store       string
	concurrency int
	strict      bool
	baseline    string
	unit        summary.Unit
	by          summary.Field
	labels      labelFlags
	errors      errorFlags
}

func newEvalCommand(g *globals) *cobra.Command {
	f := evalFlags{unit: summary.UnitTrace, by: summary.ByVersion}
	cmd := &cobra.Command{
		Use:   "eval FILE|-",
		Short: "Evaluate a file of events, without Kafka",
		Long: `Evaluate a file of events, one JSON object a line, through the worker's own
pipeline, without Kafka. It prints what was found, such as a prompt version that
passes less often than the one before it, and the rates by prompt, version and
evaluator; or with --json one report a line. Failing requests are kept as cases, by
default in the file evalworker.db beside the configuration, or without one in the
working directory; it is made when needed.

Without a configuration, or with one that names no evaluators, the deterministic
evaluators run that need no settings of yours, and no key is needed. A line that is no
event is reported with its number, and the rest goes on. Blank lines do not count.

The exit code is 1 when a line was bad or when more than --max-errors of an
evaluator's verdicts are errors. A version that got worse does not change it.

A field of an event with a value that has no meaning for it, such as NaN, is left
out and named at the end. With --strict such a line is bad, and so is one with a
field that events do not have.

With --labels FIELD the verdicts are compared with the truth that a person wrote into
that field of each line: a label, or an object of evaluators to labels. It prints how
often verdict and truth agree, and the lines where they do not; every evaluator runs
on every line, and no cases are kept unless --store names a place. A line then needs
neither event nor request_id.`,
		Example: `  evalworker eval requests.ndjson
  emitter simulate --events 200 --stdout | evalworker eval - --json
  evalworker eval requests.ndjson --config evalworker.yaml --all
  evalworker eval requests.ndjson --store sqlite:/tmp/look.db
  evalworker eval answers.ndjson --labels label --evaluator refusal`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.FileArgument(eventFiles...),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runEval(cmd.Context(), g, args[0], f)
		},
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print one report a line, as JSON")
	cmd.Flags().BoolVar(&f.all, "all", false, "run every evaluator on every event, whatever its sampling rate")
	cmd.Flags().StringVar(&f.store, "store", "", "where cases are kept, such as sqlite:FILE or postgres://USER@HOST/DATABASE (default: the configuration's store, else sqlite:evalworker.db)")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", replay.DefaultConfig().Concurrency, "events in flight at once")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "a line is bad when it has unknown fields, or fields that cannot be read")
	cmd.Flags().StringVar(&f.baseline, "baseline", "", "version that all others are compared with (default: each with the one before it)")
	cli.Choice(cmd, &f.unit, "unit", "", summary.Units(), "what verdicts are independent between")
	cli.Choice(cmd, &f.by, "by", "", summary.Fields(), "field that groups the verdicts on a prompt")
	f.labels.add(cmd)
	f.errors.add(cmd)
	completeStore(cmd)
	cli.CompleteFlag(cmd, "baseline", completeCases(g, &f.store, func(c datasets.Case) []string { return []string{c.FirstVersion, c.LastVersion} }))
	cli.CompleteFlag(cmd, "evaluator", completeEvaluators(g))
	return cmd
}

func runEval(ctx context.Context, g *globals, file string, f evalFlags) (err error) {
	var faults fault.List
	if f.concurrency < 1 {
		faults.Add("--concurrency", fmt.Sprintf("%d is below one", f.concurrency), "want a number from 1 on")
	}
	f.errors.check(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	own := len(cfg.Missing()) == 0 // evaluators
	if !own {
		cfg.Evaluators = policy.Deterministic()
	}
	if err := f.labels.apply(cfg, own, g.file()); err != nil {
		return err
	}
	if f.labels.field != "" && f.store == "" {
		f.store = inMemory
	}
	if cfg.Store, err = storeAt(cfg.Store, f.store); err != nil {
		return err
	}
	if f.all {
		cfg.RunAll()
	}
	in, size, err := openInput(ctx, g, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()

	bar := cli.NewProgress(g.stderr, size, "bytes", true)
	sum := summary.New(summary.Config{Unit: f.unit, By: f.by, Baseline: f.baseline})
	log := slog.New(slog.NewTextHandler(g.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	off, err := app.NewOffline(ctx, cfg, app.Deps{
		Log: log, Version: cli.ReadBuild().Version, Recorder: collector{sum}, Patience: f.errors.patience(cfg, g.stderr, bar),
	})
	if err != nil {
		return placed(err, g.file())
	}
	defer func() { err = errors.Join(err, off.Close()) }()

	out := json.NewEncoder(g.stdout)
	ends := map[eval.Disposition]int{}
	ignored := map[string]int{}
	last := 0
	measured := newMeasurement(f.labels, file, f.json, cfg)
	settings := replay.Config{Concurrency: f.concurrency}
	if measured != nil {
		settings.Prepare = replay.Complete
	}
	if f.strict {
		settings.Check = checkStrictly
	}
	totals, err := replay.Run(ctx, off.Pipeline(), in, settings, func(r replay.Result) error {
		last = r.Number
		bar.Set(r.Bytes)
		for _, field := range r.Line.Ignored {
			ignored[field]++
		}
		if r.Report == nil {
			bar.Clear()
			fmt.Fprintf(g.stderr, "%s:%d: %s\n", file, r.Number, r.Line.Reason)
		}
		if r.Report != nil && r.Line.Disposition != eval.DispositionEvaluated {
			sum.Report(r.Report) // an event without verdicts, which the recorder does not see
		}
		ends[r.Line.Disposition]++
		switch {
		case measured != nil:
			return measured.add(r)
		case f.json:
			return out.Encode(r.Line)
		}
		return nil
	})
	bar.Finish()
	printIgnored(g.stderr, ignored)
	if _, ok := errors.AsType[fault.List](err); ok && measured != nil {
		return err // a label that is none
	}
	if err != nil {
		if !f.json {
			err = errors.Join(err, sum.Tables().Print(g.stdout))
		}
		return fmt.Errorf("stopped after line %d, up to which failing requests are kept in %s: %w", last, cfg.Store.URL, err)
	}
	switch {
	case measured != nil:
		if err := measured.print(g.stdout, totals, f.json); err != nil {
			return err
		}
	case !f.json:
		tables := f.errors.tables(sum)
		tables.Color = cli.Color(g.stdout, g.getenv)
		if err := printEval(g.stdout, tables, totals, ends, cfg.Store.URL); err != nil {
			return err
		}
		if err := checkBaseline(f.baseline, tables); err != nil {
			return err
		}
	}
	if err := f.errors.judge(sum, cfg); err != nil {
		return err
	}
	if totals.Bad > 0 {
		return fmt.Errorf("%d of %s %s", totals.Bad, cli.Plural(totals.Events, "line"), cli.Choose(totals.Bad, "is no event", "are no events"))
	}
	return nil
}

// inMemory is the store whose cases are gone when the command ends.
const inMemory = "sqlite::memory:"

// checkStrictly returns what a line of events has that events do not have.
func checkStrictly(line []byte) error {
	_, err := event.DecodeStrict(line)
	return err
}

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

// printIgnored says which fields were left out of how many events.
func printIgnored(w io.Writer, ignored map[string]int) {
	for _, field := range event.Fields() {
		if n := ignored[field]; n > 0 {
			fmt.Fprintf(w, "ignored: %s in %s (want %s)\n", field, cli.Plural(n, "event"), event.Wanted(field))
		}
	}
}

func printEval(w io.Writer, tables summary.Tables, t replay.Totals, ends map[eval.Disposition]int, store string) error {
	if err := tables.Print(w); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %d evaluated, %d unwanted, %d sampled out, %d bad", cli.Plural(t.Events, "line"),
		ends[eval.DispositionEvaluated], ends[eval.DispositionUnwanted], ends[eval.DispositionSampledOut], t.Bad)
	if t.Blank > 0 {
		fmt.Fprintf(&b, " (and %d blank)", t.Blank)
	}
	b.WriteByte('\n')
	if ends[eval.DispositionEvaluated] > 0 && store != inMemory {
		fmt.Fprintf(&b, "failing requests are kept in %s; see them with: %s datasets list --store %s\n", store, shellCommand("evalworker"), quote(store))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// openInput opens a file, or standard input for "-". The size is -1 when it is
// not known.
func openInput(ctx context.Context, g *globals, file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(cli.Interruptible(ctx, g.stdin)), -1, nil
	}
	in, size, err := cli.Open(ctx, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fault.List{{Problem: file + " does not exist", Expected: "name a file, or - for standard input"}}
	case errors.Is(err, syscall.EISDIR):
		return nil, 0, fault.List{{Problem: file + " is a directory", Expected: "name a file, or - for standard input"}}
	case err != nil:
		return nil, 0, err
	case size < 0: // a pipe
		return struct {
			io.Reader
			io.Closer
		}{cli.Interruptible(ctx, in), in}, size, nil
	}
	return in, size, nil
}

// collector makes a summary the recorder of a pipeline.
type collector struct{ *summary.Summary }

func (collector) Skipped(eval.Disposition, int) {}
func (collector) Cases(*eval.Report, int)       {}
