package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/store"
)

// newPipeline wires the pipeline: the first policy, and the store for failing
// requests.
func newPipeline(
	cfg *config.Config, redactor *redact.Redactor, builder *policy.Builder, db *store.Store, rec pipeline.Recorder, log *slog.Logger,
) (*pipeline.Pipeline, error) {
	p, err := builder.Build(&cfg.Policy)
	if err != nil {
		return nil, err
	}
	return pipeline.New(p, pipeline.Deps{
		Redactor: redactor,
		Keeper:   datasets.NewKeeper(db, redactor, cfg.Store.MaxExemplars),
		Recorder: rec,
		Log:      log,
	})
}

func newRedactor(cfg *config.Config) (*redact.Redactor, error) {
	r, err := redact.New(cfg.Redaction)
	if err != nil {
		return nil, fmt.Errorf("redaction: %w", err)
	}
	return r, nil
}

// Offline is the worker's pipeline without Kafka and telemetry, for events from a
// file.
type Offline struct {
	pipeline *pipeline.Pipeline
	redactor *redact.Redactor
	cases    *datasets.Cases
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
	if o.redactor, err = newRedactor(cfg); err != nil {
		return nil, err
	}
	storeConfig := cfg.Store
	storeConfig.Build = deps.Version
	db, err := store.Open(ctx, storeConfig)
	if err != nil {
		return nil, err
	}
	o.closers.add("store", bounded(db.Close))
	logMigration(deps.Log, db)
	o.cases = datasets.NewCases(db)
	builder := policy.NewBuilder(policy.Deps{Log: component(deps.Log, "judges"), Patience: deps.Patience})
	o.closers.add("models", func(context.Context) error { builder.Close(); return nil })
	o.pipeline, err = newPipeline(cfg, o.redactor, builder, db, deps.Recorder, component(deps.Log, "pipeline"))
	if err != nil {
		return nil, err
	}
	o.pipeline.RememberRequests()
	return o, nil
}

// Pipeline returns the pipeline.
func (o *Offline) Pipeline() *pipeline.Pipeline { return o.pipeline }

// Redactor returns the redactor of the configuration.
func (o *Offline) Redactor() *redact.Redactor { return o.redactor }

// Cases returns the cases in the store.
func (o *Offline) Cases() *datasets.Cases { return o.cases }

// Close closes the store and drops the models' connections.
func (o *Offline) Close() error { return o.closers.close(o.cfg.Shutdown.Close) }
