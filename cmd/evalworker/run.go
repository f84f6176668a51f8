package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func newRunCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the worker",
		Long: `Run the worker: consume events, sample, validate and judge them, keep failing
requests as cases, and send spans and metrics to Datadog.

SIGTERM or SIGINT stops it: nothing more is fetched, events in flight finish within
shutdown.grace, offsets are committed. A second signal ends it at once.
SIGHUP, or a change of the file, loads policy, rubrics and schemas anew.`,
		Example: `  evalworker init && evalworker check --quiet
  KAFKA_BROKERS=localhost:9092 evalworker run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := g.load()
			if err != nil {
				return err
			}
			if len(cfg.Evaluators) == 0 {
				return noEvaluators(g.file())
			}
			log := newLog(g, cfg)
			deps := app.Deps{Log: log, Version: cli.ReadBuild().Version}
			if file := g.file(); file != "" {
				watcher, err := config.NewWatcher(file, g.environ, hangups(cmd.Context()), log)
				if err != nil {
					return err
				}
				deps.Watcher = watcher
			}
			a, err := app.New(cmd.Context(), cfg, deps)
			if err != nil {
				return fmt.Errorf("start worker: %w", err)
			}
			defer app.SteadyHeap()()
			return a.Run(cmd.Context())
		},
	}
}

// noEvaluators is the fault of a worker that has nothing to evaluate with. It
// would join the group, take its events and evaluate none of them.
func noEvaluators(file string) error {
	if file == "" {
		return fault.List{{Path: "evaluators", Problem: "there are none, because there is no " + config.FileName + " here", Expected: "name a configuration with --config, or make one with evalworker init"}}
	}
	return fault.List{{File: file, Path: "evaluators", Problem: "there are none", Expected: "want at least one: a worker without evaluators takes events and evaluates none"}}
}

// newLog gives the log that the configuration asks for, on standard error.
func newLog(g *globals, cfg *config.Config) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Log.Level, ReplaceAttr: readable}
	if cfg.Log.Format == config.LogText {
		return slog.New(slog.NewTextHandler(g.stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(g.stderr, opts))
}

// readable writes durations with their unit, also in JSON.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
