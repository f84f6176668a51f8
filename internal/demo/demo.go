package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/devbroker"
	"github.com/evalworker/evalworker/internal/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// Config says what to play.
type Config struct {
	Events   int           // how many to publish
	Seed     uint64        // the same seed gives the same events and counts
	Duration time.Duration // over which they are spread; 0: as fast as it goes
	Scenario string        // regressed or healthy
	Dir      string        // for configuration, store and dataset; empty: a new temporary folder
}

// Validate reports every fault.
func (c Config) Validate() eval.Faults {
	var fs eval.Faults
	if c.Events < 1 || c.Events > maxEvents {
		fs.Add("events", fmt.Sprintf("%d is out of range", c.Events), fmt.Sprintf("want 1 to %d", maxEvents))
	}
	if c.Duration < 0 {
		fs.Add("duration", "is negative", "want 0 or a duration such as 30s")
	}
	return fs
}

// maxEvents bounds a demo: its broker keeps all of them in memory.
const maxEvents = 1_000_000

// Deps are what the surroundings give a demo.
type Deps struct {
	Log      *slog.Logger // required
	Version  string
	Getenv   func(string) string // required
	Progress func(done int)      // called as events end; may be nil
}

// Addresses are where the parts of a running demo can be reached.
type Addresses struct {
	Broker string // Kafka
	Health string // HTTP: /readyz, /statusz
	Judge  string // base URL of the scripted judge; empty when a real model judges
	Config string // file with which the worker runs
	Dir    string
}

// Demo is a running world. Close stops it.
type Demo struct {
	cfg       Config
	deps      Deps
	scenario  *scenario.Scenario
	broker    *devbroker.Broker
	judge     judge
	worker    *app.App
	workerCfg *config.Config
	summary   *summary.Summary
	addresses Addresses

	stop  context.CancelFunc // stops the worker
	ended chan struct{}      // closed when the worker has ended
	err   error              // of the worker; read after ended
	once  sync.Once
}

const partitions = 8

// Start brings the parts up and the worker to work. The caller must Close it.
func Start(ctx context.Context, cfg Config, deps Deps) (_ *Demo, err error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	d := &Demo{cfg: cfg, deps: deps, summary: summary.New(), ended: make(chan struct{})}
	if d.scenario, err = scenario.Load(cfg.Scenario); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if d.stop == nil {
				close(d.ended)
			}
			err = errors.Join(err, d.Close())
		}
	}()
	if d.addresses.Dir, err = folder(cfg.Dir); err != nil {
		return nil, err
	}
	if d.broker, err = devbroker.Start(devbroker.Config{Topics: map[string]int32{topic: partitions, topic + ".dead": 1}}); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if d.judge, err = startJudge(ctx, d.scenario, deps.Getenv); err != nil {
		return nil, err
	}
	if d.workerCfg, err = d.configure(); err != nil {
		return nil, err
	}
	d.worker, err = app.New(ctx, d.workerCfg, app.Deps{Log: deps.Log, Version: deps.Version, Recorder: d})
	if err != nil {
		return nil, err
	}
	d.addresses.Broker, d.addresses.Health, d.addresses.Judge = d.broker.Addr(), d.worker.HealthAddr(), d.judge.url
	run, stop := context.WithCancel(context.WithoutCancel(ctx)) // Close decides when, so that the last events are drained
	d.stop = stop
	go func() {
		defer close(d.ended)
		d.err = d.worker.Run(run)
	}()
	return d, nil
}

// Addresses tells where the parts are.
func (d *Demo) Addresses() Addresses { return d.addresses }

// Close drains and stops the worker, then takes the world down. It may be
// called more than once.
func (d *Demo) Close() error {
	var err error
	d.once.Do(func() {
		if d.stop != nil {
			d.stop()
		}
		<-d.ended
		err = errors.Join(d.err, d.judge.close())
		if d.broker != nil {
			d.broker.Close()
		}
	})
	return err
}

// Report counts a report; the worker calls it.
func (d *Demo) Report(r *eval.Report) { d.summary.Report(r) }

// SampledOut is told of events that no evaluator wanted; the accounting has them.
func (d *Demo) SampledOut(int) {}

// Cases is told of new cases; the store has them.
func (d *Demo) Cases(*eval.Report, int) {}

// folder makes the folder of a demo.
func folder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "evalworker-demo-")
	}
	if err := os.MkdirAll(filepath.Join(dir), 0o750); err != nil {
		return "", fmt.Errorf("demo folder: %w", err)
	}
	return filepath.Abs(dir)
}
