package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
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
			cfg, err := g.loadComplete()
			if err != nil {
				return err
			}
			log := newLog(g, cfg.Log)
			cli.AtSecondSignal(cmd.Context(), func() {
				log.Error("a second signal: the worker ends at once; who takes its partitions over repeats what was not committed")
			})
			a, err := newWorker(cmd.Context(), g, cfg, log)
			switch {
			case err != nil && cmd.Context().Err() != nil: // what was interrupted has not failed
				log.Info("worker stopped before it had started", "error", err)
				return nil
			case err != nil:
				return err
			}
			if err = a.Run(cmd.Context()); err != nil {
				log.Error("worker ended with an error", "error", err)
				return &cli.LoggedError{Err: err}
			}
			return nil
		},
	}
}

// newWorker returns the worker, with a watcher of its configuration.
func newWorker(ctx context.Context, g *globals, cfg *config.Config, log *slog.Logger) (*app.App, error) {
	deps := app.Deps{Log: log, Version: cli.ReadBuild().Version}
	if file := g.file(); file != "" {
		watcher, err := config.NewWatcher(file, g.environ, hangups(ctx), log)
		if err != nil {
			return nil, err
		}
		deps.Watcher = watcher
	}
	a, err := app.New(ctx, cfg, deps)
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", placed(err, g.file()))
	}
	return a, nil
}

// newLog returns the log on standard error.
func newLog(g *globals, cfg config.Log) *slog.Logger {
	return cli.NewLog(g.stderr, cfg.Format == config.LogText, cfg.Level)
}

// logReason writes a reason why a worker does not start into its log, in the form that the
// configuration asks for, as far as it can be read.
func (g *globals) logReason(reason string) {
	newLog(g, config.LogOf(g.file(), g.environ)).Error("worker does not start", "error", reason)
}
