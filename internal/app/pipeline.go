package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/store"
)

// newPipeline wires what happens to one event: the evaluators with the models
// behind them, and the store where failing requests go.
func newPipeline(
	cfg *config.Config, builder *suites, db *store.Store, rec pipeline.Recorder, log *slog.Logger,
) (*pipeline.Pipeline, error) {
	suite, err := builder.build(cfg)
	if err != nil {
		return nil, err
	}
	redactor, err := redact.New(cfg.Redaction)
	if err != nil {
		return nil, fmt.Errorf("redaction: %w", err)
	}
	return pipeline.New(suite, pipeline.Deps{
		Redactor: redactor,
		Archive:  datasets.NewKeeper(db, redactor, cfg.Store.MaxExemplars),
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

// NewOffline wires a pipeline. Deps.Log and Deps.Recorder are required. The
// caller must Close it.
func NewOffline(ctx context.Context, cfg *config.Config, deps Deps) (_ *Offline, err error) {
	if deps.Log == nil {
		return nil, errors.New("app: no log")
	}
	o := &Offline{cfg: cfg, closers: closers{log: deps.Log}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	db, err := store.Open(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	o.closers.add("store", bounded(db.Close))
	builder := &suites{log: component(deps.Log, "judges")}
	o.closers.add("models", func(context.Context) error { builder.close(); return nil })
	o.pipeline, err = newPipeline(cfg, builder, db, deps.Recorder, component(deps.Log, "pipeline"))
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Pipeline gives the pipeline.
func (o *Offline) Pipeline() *pipeline.Pipeline { return o.pipeline }

// Close closes the store and lets go of the models' connections.
func (o *Offline) Close() error { return o.closers.close(o.cfg.Shutdown.Close) }
