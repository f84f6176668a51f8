package main

import (
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
				err = fmt.Errorf("start worker: %w", placed(err, g.file()))
				log.Error("worker does not start", "error", err)
				return err
			}
			cli.AtSecondSignal(cmd.Context(), func() {
				log.Warn("a second signal: the worker ends at once; who takes its partitions over repeats what was not committed")
			})
			err = a.Run(cmd.Context())
			if err != nil { // in the log too, which is all that some platforms keep
				log.Error("worker ended with an error", "error", err)
			}
			return err
		},
	}
}

// newLog returns the configured log, on standard error.
func newLog(g *globals, cfg *config.Config) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Log.Level, ReplaceAttr: formatDuration}
	if cfg.Log.Format == config.LogText {
		return slog.New(slog.NewTextHandler(g.stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(g.stderr, opts))
}

// formatDuration writes a duration with its unit, also in JSON.
func formatDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
