package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
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
	fail        failFlag
}

func newEvalCommand(g *globals) *cobra.Command {
	f := evalFlags{unit: summary.UnitTrace, by: summary.ByVersion}
	cmd := &cobra.Command{
		Use:   "eval FILE|-",
		Short: "Evaluate a file of events, without Kafka",
		Long: `Evaluate a file of events, one JSON object a line, through the worker's own
pipeline, without Kafka. It prints what was found, such as a prompt version that
passes less often than the one before it, and the rates by prompt, version and
evaluator; or with --json one report a line, and a summary in the last line. Failing
requests are kept as cases, by default in the file evalworker.db beside the
configuration, or without one in the working directory; it is made when needed. A gzip
file is read, and so are the lines that "datasets export" writes.

Without a configuration, or with one that names no evaluators, the deterministic
evaluators run that need no settings of yours, and no key is needed. A line that is no
event is reported with its number, and the rest goes on. Blank lines do not count.

A field of an event with a value that has no meaning for it, such as NaN, is left
out and named at the end. With --strict such a line is bad, and so is one with a
field that events do not have.

A model that limits calls, or is not up yet, is waited for, and given up when no call
has succeeded for --patience. What the run waits for, and how far it is, stands on
standard error: in a bar on a terminal, elsewhere in a line every 10 s.

With --labels FIELD the verdicts are compared with the truth that a person wrote into
that field of each line: a label, or an object of evaluators to labels. It prints how
often verdict and truth agree, and the lines where they do not; every evaluator runs
on every line, and no cases are kept unless --store names a place. A line then needs
neither event nor request_id.

Exit codes:
  0  every line was evaluated, whatever was found
  1  a line was bad, more than --max-errors of an evaluator's verdicts are errors, a
     version is worse and --fail-on regression is given, or the run was stopped; the
     last lines on standard error say which
  2  wrong use, a configuration with faults, or an input that is no lines of JSON`,
		Example: `  evalworker eval requests.ndjson
  evalworker eval requests.ndjson --fail-on regression --baseline v12
  emitter simulate --events 200 --stdout | evalworker eval - --json
  evalworker eval requests.ndjson.gz --json | tail -n 1 | jq .summary.regressions
  evalworker eval requests.ndjson --config evalworker.yaml --all
  evalworker eval requests.ndjson --store sqlite:/tmp/look.db
  evalworker eval answers.ndjson --labels label --evaluator refusal`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.FileArgument("ndjson", "jsonl", "json", "gz"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runEval(cmd.Context(), g, args[0], f)
		},
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print one report a line and a summary in the last one, as JSON")
	cmd.Flags().BoolVar(&f.all, "all", false, "run every evaluator on every event, whatever its sampling rate")
	cmd.Flags().StringVar(&f.store, "store", "", "where cases are kept, such as sqlite:FILE or postgres://USER@HOST/DATABASE (default: the configuration's store, else sqlite:evalworker.db)")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", replay.DefaultConfig().Concurrency, "events in flight at once")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "a line is bad when it has unknown fields, or fields that cannot be read")
	cmd.Flags().StringVar(&f.baseline, "baseline", "", "version that all others are compared with (default: each with the one before it)")
	cli.Choice(cmd, &f.unit, "unit", "", summary.Units(), "what verdicts are independent between")
	cli.Choice(cmd, &f.by, "by", "", summary.Fields(), "field that groups the verdicts on a prompt")
	f.labels.add(cmd)
	f.errors.add(cmd)
	f.fail.add(cmd)
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
	f.fail.check(f.labels.field, &faults)
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
	in, err := openInput(ctx, g, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return evaluate(ctx, g, cfg, in, file, &f)
}

// replay returns how lines are read.
func (f *evalFlags) replay() replay.Config {
	c := replay.Config{Concurrency: f.concurrency, Prepare: func(number int, line []byte) []byte {
		line = replay.FromCase(line)
		if f.labels.field != "" {
			line = replay.Complete(number, line)
		}
		return line
	}}
	if f.strict {
		c.Check = func(original, prepared []byte) error {
			if replay.IsCase(original) {
				return nil // cases have members of their own
			}
			_, err := event.DecodeStrict(prepared)
			return err
		}
	}
	return c
}

// input is a file of lines, or standard input.
type input struct {
	*replay.Input
	io.Closer
	size int64 // -1 when it is not known
}

// openInput opens a file, or standard input for "-", and looks at its beginning.
func openInput(ctx context.Context, g *globals, file string) (_ *input, err error) {
	in := &input{size: -1, Closer: io.NopCloser(nil)}
	var r io.Reader
	if file == "-" {
		r = cli.Interruptible(ctx, g.stdin)
	} else {
		f, size, err := cli.Open(ctx, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fault.List{{Problem: file + " does not exist", Expected: "name a file, or - for standard input"}}
		case errors.Is(err, syscall.EISDIR):
			return nil, fault.List{{Problem: file + " is a directory", Expected: "name a file, or - for standard input"}}
		case errors.Is(err, fs.ErrPermission):
			return nil, fault.List{{Problem: file + " may not be read by this user", Expected: "change its permissions, or name another file"}}
		case err != nil:
			return nil, err
		}
		r, in.Closer, in.size = f, f, size
		if size < 0 { // a pipe
			r = cli.Interruptible(ctx, f)
		}
	}
	if in.Input, err = replay.NewInput(r, file); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	if in.Gzip {
		in.size = -1
	}
	return in, nil
}
