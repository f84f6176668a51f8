package demo

import (
	"bytes"
	"context"
	_ "embed"
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
	"text/template"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// Config configures a demo.
type Config struct {
	Events     int           // how many to publish
	Seed       uint64        // the same seed yields the same events and counts
	Duration   time.Duration // time over which they are spread; 0: as fast as possible
	Scenario   string        // regressed or healthy
	Dir        string        // an empty folder for configuration, store and dataset; "": a new temporary one
	Port       int           // of the embedded broker on loopback; 0: a free one
	HealthPort int           // of the worker's health server on loopback; 0: a free one
}

// DefaultConfig plays 2,000 events of the scenario with a broken prompt version.
func DefaultConfig() Config { return Config{Events: 2000, Seed: 7, Scenario: "regressed"} }

// maxEvents bounds a demo: its broker keeps all of them in memory.
const maxEvents = 1_000_000

// Scenarios returns the names of the scenarios.
func Scenarios() []string { return scenario.Names() }

// Validate returns every fault.
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
	for flag, port := range map[string]int{"kafka-port": c.Port, "health-port": c.HealthPort} {
		if port < 0 || port > 65535 {
			fs.Add(flag, fmt.Sprintf("%d is no port", port), "want 1 to 65535, or 0 for a free one")
		}
	}
	return fs
}

// Deps are a demo's dependencies.
type Deps struct {
	Log      *slog.Logger // required
	Version  string
	Getenv   func(string) string // required
	Progress func(done int)      // called as events end, never concurrently; may be nil
}

// Addresses are the addresses and files of the parts of a running demo.
type Addresses struct {
	Broker string // Kafka
	Health string // HTTP: /readyz, /statusz
	Judge  string // base URL of the scripted judge; empty when a real model judges
	Config string // the worker's configuration file
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
	reported  atomic.Int64 // reports that summary has counted
	addresses Addresses

	stop    context.CancelFunc // stops the worker; nil while there is none
	running sync.WaitGroup     // the worker's goroutine
	ended   chan struct{}      // closed when the worker has ended
	err     error              // of the worker; read after ended
	once    sync.Once
}

const partitions = 8

// Start starts all parts. The caller must Close the demo. Faults of cfg are an error
// of type [fault.Faults].
func Start(ctx context.Context, cfg Config, deps Deps) (_ *Demo, err error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if deps.Log == nil || deps.Getenv == nil {
		return nil, errors.New("demo: log and environment are required")
	}
	d := &Demo{cfg: cfg, deps: deps, summary: summary.New(summary.Config{}), ended: make(chan struct{})}
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
		Broker: d.broker.Addr(), Model: d.judge.model, BaseURL: d.judge.url, HealthPort: cfg.HealthPort,
		// A store for this run only, so that the same seed yields the same counts.
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
	run, stop := context.WithCancel(context.WithoutCancel(ctx)) // only Close stops the worker, so that the last events are drained
	d.stop = stop
	d.running.Go(func() {
		defer close(d.ended)
		d.err = d.worker.Run(run)
	})
	return d, nil
}

// Addresses returns the addresses of the parts.
func (d *Demo) Addresses() Addresses { return d.addresses }

// Stay waits until ctx ends and returns nil, or until the worker stops on its own
// and returns an error.
func (d *Demo) Stay(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.ended:
		return fmt.Errorf("the worker stopped: %w", d.stopReason())
	}
}

// stopReason returns why the worker ended. Call it only after ended is closed.
func (d *Demo) stopReason() error {
	if d.err != nil {
		return d.err
	}
	return errors.New("the demo was closed")
}

// Close drains and stops the worker, then the other parts. It may be called more than
// once; the first call returns the error.
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

// Report counts a report of the worker.
func (d *Demo) Report(r *eval.Report) {
	d.summary.Report(r)
	d.reported.Add(1)
}

// Skipped does nothing: the worker's accounting counts these events.
func (d *Demo) Skipped(eval.Disposition, int) {}

// Cases does nothing: the store has the cases.
func (d *Demo) Cases(*eval.Report, int) {}

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
	if len(entries) > 0 { // a running demo may have its configuration there
		return "", fmt.Errorf("demo folder: %s holds files already; name an empty folder, or one that is not there yet", dir)
	}
	return filepath.Abs(dir)
}

//go:embed demo.yaml.tmpl
var configTemplate string

const topic = "llm.requests.completed"

// settings are the values for the configuration template.
type settings struct {
	Broker  string
	Model   string
	BaseURL string // of the scripted judge; empty for a real model
	Store   string // file
	Datadog bool   // send to an agent

	HealthPort int // 0: a free one
}

// configure writes the worker's configuration and schemas into a folder, as a person
// would, and loads them. It returns the path of the configuration file, too.
func configure(dir string, schemas map[string][]byte, s settings, environ []string) (string, *config.Config, error) {
	t, err := template.New("demo").Parse(configTemplate)
	if err != nil {
		return "", nil, fmt.Errorf("demo configuration: %w", err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return "", nil, fmt.Errorf("demo configuration: %w", err)
	}
	file := filepath.Join(dir, config.FileName)
	files := map[string][]byte{file: text.Bytes()}
	for name, body := range schemas {
		files[filepath.Join(dir, "schemas", name+".json")] = body
	}
	if err := os.MkdirAll(filepath.Join(dir, "schemas"), 0o750); err != nil {
		return "", nil, fmt.Errorf("demo folder: %w", err)
	}
	for path, body := range files {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			return "", nil, fmt.Errorf("demo folder: %w", err)
		}
	}
	cfg, err := config.Load(file, environ)
	return file, cfg, err
}

// modelEnvironment returns only the model's key and address from the environment,
// because the demo's file is otherwise complete.
func modelEnvironment(getenv func(string) string) []string {
	var environ []string
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_BASE_URL"} {
		if v := getenv(name); v != "" {
			environ = append(environ, name+"="+v)
		}
	}
	return environ
}
