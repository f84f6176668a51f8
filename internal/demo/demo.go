package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// Config says what to play.
type Config struct {
	Events   int           // how many to publish
	Seed     uint64        // the same seed gives the same events and counts
	Duration time.Duration // over which they are spread; 0: as fast as it goes
	Scenario string        // regressed or healthy
	Dir      string        // for configuration, store and dataset, and empty itself; "": a new temporary one
	Port     int           // of the embedded broker on loopback; 0: a free one
}

// DefaultConfig plays 2,000 events of the scenario with a broken prompt version.
func DefaultConfig() Config { return Config{Events: 2000, Seed: 7, Scenario: "regressed"} }

// maxEvents bounds a demo: its broker keeps all of them in memory.
const maxEvents = 1_000_000

// Validate reports every fault.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.Events < 1 || c.Events > maxEvents {
		fs.Add("events", fmt.Sprintf("%d is out of range", c.Events), fmt.Sprintf("want 1 to %d", maxEvents))
	}
	if c.Duration < 0 {
		fs.Add("duration", fmt.Sprintf("%v is below zero", c.Duration), "want 0 or a duration such as 30s")
	}
	if names := scenario.Names(); !slices.Contains(names, c.Scenario) {
		fs.Add("scenario", fmt.Sprintf("unknown scenario %q", c.Scenario), "want one of "+strings.Join(names, ", "))
	}
	if c.Port < 0 || c.Port > 65535 {
		fs.Add("kafka-port", fmt.Sprintf("%d is no port", c.Port), "want 1 to 65535, or 0 for a free one")
	}
	return fs
}

// Deps are what the surroundings give a demo.
type Deps struct {
	Log      *slog.Logger // required
	Version  string
	Getenv   func(string) string // required
	Progress func(done int)      // called as events end, never twice at once; may be nil
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
	broker    *broker.Broker
	judge     judge
	worker    *app.App
	workerCfg *config.Config
	summary   *summary.Summary
	reported  atomic.Int64 // reports that summary has
	addresses Addresses

	stop    context.CancelFunc // stops the worker; nil while there is none
	running sync.WaitGroup     // the worker's goroutine
	ended   chan struct{}      // closed when the worker has ended
	err     error              // of the worker; read after ended
	once    sync.Once
}

const partitions = 8

// Start brings the parts up and the worker to work. The caller must Close it.
// Faults of cfg are an error of type [fault.Faults].
func Start(ctx context.Context, cfg Config, deps Deps) (_ *Demo, err error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if deps.Log == nil || deps.Getenv == nil {
		return nil, errors.New("demo: log and environment are required")
	}
	d := &Demo{cfg: cfg, deps: deps, summary: summary.New(), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.scenario, err = scenario.Load(cfg.Scenario); err != nil {
		return nil, err
	}
	if d.addresses.Dir, err = makeFolder(cfg.Dir); err != nil {
		return nil, err
	}
	if d.broker, err = broker.Start(broker.Config{
		Topics: map[string]int32{topic: partitions, topic + ".dead": 1},
		Addr:   net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)),
	}); err != nil {
		return nil, err
	}
	if err = d.judge.start(ctx, d.scenario, deps.Getenv); err != nil {
		return nil, err
	}
	d.addresses.Config, d.workerCfg, err = configure(d.addresses.Dir, d.scenario.Schemas(), settings{
		Broker: d.broker.Addr(), Model: d.judge.model, BaseURL: d.judge.url,
		// The store is this run's: the same seed then gives the same counts.
		Store:   filepath.Join(d.addresses.Dir, fmt.Sprintf("demo-%d.db", os.Getpid())),
		Datadog: deps.Getenv("DD_AGENT_HOST") != "" || deps.Getenv("DD_TRACE_AGENT_URL") != "",
	}, modelEnvironment(deps.Getenv))
	if err != nil {
		return nil, err
	}
	d.worker, err = app.New(ctx, d.workerCfg, app.Deps{Log: deps.Log, Version: deps.Version, Recorder: d})
	if err != nil {
		return nil, err
	}
	d.addresses.Broker, d.addresses.Health, d.addresses.Judge = d.broker.Addr(), d.worker.HealthAddr(), d.judge.url
	run, stop := context.WithCancel(context.WithoutCancel(ctx)) // Close decides when, so that the last events are drained
	d.stop = stop
	d.running.Go(func() {
		defer close(d.ended)
		d.err = d.worker.Run(run)
	})
	return d, nil
}

// Addresses tells where the parts are.
func (d *Demo) Addresses() Addresses { return d.addresses }

// Stay waits until ctx ends, which is no error, or until the worker stops by
// itself, which is one.
func (d *Demo) Stay(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.ended:
		return fmt.Errorf("the worker stopped: %w", d.stopReason())
	}
}

// stopped says why the worker ended. Only after ended is closed.
func (d *Demo) stopReason() error {
	if d.err != nil {
		return d.err
	}
	return errors.New("the demo was closed")
}

// Close drains and stops the worker, then takes the world down. It may be
// called more than once; the first call has the error.
func (d *Demo) Close() error {
	var err error
	d.once.Do(func() {
		if d.stop != nil {
			d.stop()
		}
		d.running.Wait()
		err = errors.Join(d.err, d.judge.close())
		if d.broker != nil {
			d.broker.Close()
		}
	})
	return err
}

// Report counts a report; the worker calls it.
func (d *Demo) Report(r *eval.Report) {
	d.summary.Report(r)
	d.reported.Add(1)
}

// SampledOut is told of events that no evaluator wanted; the accounting has them.
func (d *Demo) SampledOut(int) {}

// Cases is told of new cases; the store has them.
func (d *Demo) Cases(*eval.Report, int) {}

// folder makes the folder of a demo.
func makeFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "evalworker-demo-")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("demo folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("demo folder: %w", err)
	}
	if len(entries) > 0 { // a demo that is still up may have its configuration there
		return "", fmt.Errorf("demo folder: %s holds files already; name an empty folder, or one that is not there yet", dir)
	}
	return filepath.Abs(dir)
}
