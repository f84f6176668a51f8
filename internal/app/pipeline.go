package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/pipeline"
)

// newPipeline wires what happens to one event: the evaluators with the models
// behind them, and the store where failing requests go.
func newPipeline(
	ctx context.Context, cfg *config.Config, builder *suites, rec pipeline.Recorder, log *slog.Logger, closers *closers,
) (*pipeline.Pipeline, error) {
	suite, err := builder.build(cfg)
	if err != nil {
		return nil, err
	}
	closers.add("models", func(context.Context) error { builder.close(); return nil })
	redactor, err := datasets.NewRedactor(cfg.Redaction)
	if err != nil {
		return nil, fmt.Errorf("redaction: %w", err)
	}
	store, err := datasets.Open(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	closers.add("store", func(context.Context) error { return store.Close() })
	return pipeline.New(suite, pipeline.Deps{
		Redactor: redactor,
		Archive:  datasets.NewArchive(store, redactor, cfg.Store),
		Recorder: rec,
		Log:      log,
	})
}

// Offline is the worker's pipeline without Kafka and without telemetry, for
// events that come from a file.
type Offline struct {
	pipeline *pipeline.Pipeline
	closers  closers
	cfg      *config.Config
}

// NewOffline wires a pipeline. Deps.Recorder is required. The caller must Close it.
func NewOffline(ctx context.Context, cfg *config.Config, deps Deps) (_ *Offline, err error) {
	o := &Offline{cfg: cfg, closers: closers{log: deps.Log}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	o.pipeline, err = newPipeline(ctx, cfg, &suites{log: component(deps.Log, "judges")}, deps.Recorder, component(deps.Log, "pipeline"), &o.closers)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Pipeline gives the pipeline.
func (o *Offline) Pipeline() *pipeline.Pipeline { return o.pipeline }

// Close closes the store.
func (o *Offline) Close() error { return o.closers.closeWithin(o.cfg.Shutdown.Close) }
