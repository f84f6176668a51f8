package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/emitter/mskiam"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/store"
	"github.com/evalworker/evalworker/telemetry"
)

// Deps are a worker's dependencies.
type Deps struct {
	Log     *slog.Logger // required
	Version string       // of the program
	// Recorder records the ends of events, in addition to telemetry; may be nil.
	Recorder pipeline.Recorder
	// Patience makes an offline pipeline wait for its models; a worker has none.
	Patience *model.Patience
	// Watcher reports new revisions of the configuration; nil: no reloads.
	Watcher Watcher
}

// Watcher calls changed with each new revision of the configuration, or with
// its faults, until ctx ends.
type Watcher interface {
	Run(ctx context.Context, changed func(*config.Config, error)) error
}

// App is a worker. It runs once.
type App struct {
	cfg      *config.Config
	log      *slog.Logger
	version  string
	started  time.Time
	ran      atomic.Bool // Run was called
	stopping atomic.Bool // Run's context has ended
	counts   accounting
	// unsettled is the accounting when it last did not settle; of the goroutine of gauges.
	unsettled    Accounting
	unsettledLog outage.Limiter
	telemetry    *telemetry.Telemetry
	store        *store.Store
	starting     outage.Outage // of the store, until Run has connected to it
	tables       atomic.Int64  // version of the store's tables, which may not be asked while it connects; 0: not opened yet
	retention    retention
	pipeline     *pipeline.Pipeline
	consumer     *consumer.Consumer
	health       *serve.Server // nil when none is configured
	watcher      Watcher
	builder      *policy.Builder
	reloads      reloads
	skews        skews
	closers      closers
}

// New wires a worker. It binds the health server's port, opens the store and
// starts telemetry; Run connects to Kafka and to a store on a server. When New
// fails it closes everything that it opened. To close a worker without running it,
// call Run with a context that has ended.
//
// The first thing opened is closed last: the port comes before everything that its
// probes report on, and the store before telemetry, which has reports to send.
func New(ctx context.Context, cfg *config.Config, deps Deps) (_ *App, err error) {
	if deps.Log == nil {
		return nil, errors.New("app: no log")
	}
	a := &App{cfg: cfg, version: deps.Version, started: time.Now(), watcher: deps.Watcher}
	// The handler only reads spans from contexts, so it works before telemetry has
	// started.
	a.log = slog.New(a.telemetry.LogHandler(deps.Log.Handler()))
	a.closers.log = a.log
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()

	if cfg.Health.Listen != "" {
		a.health, err = serve.ListenHealth(ctx, cfg.Health, serve.HealthDeps{
			Checks: a.checks(), Status: func() any { return a.Status() }, Log: component(a.log, "health"),
			Metrics: func(w http.ResponseWriter, r *http.Request) { a.telemetry.ServeMetrics(w, r) }, // which starts later
		})
		if err != nil {
			return nil, explainPort(cfg.Store, err)
		}
		a.closers.add("health server", a.health.Close)
	}
	storeConfig := cfg.Store
	storeConfig.Build = deps.Version
	a.store, err = openStore(ctx, storeConfig)
	if err != nil {
		return nil, err
	}
	a.closers.add("store", bounded(a.store.Close))
	redactor, err := newRedactor(cfg)
	if err != nil {
		return nil, err
	}
	a.telemetry, err = telemetry.New(cfg.Datadog.Config, telemetry.Deps{
		Log: component(a.log, "telemetry"), Version: deps.Version, Redact: redactor.Text, Prometheus: cfg.Health.ServesMetrics(),
	})
	if err != nil {
		return nil, err
	}
	a.closers.add("telemetry", a.telemetry.Close)

	// The evaluation of one event.
	all := []pipeline.Recorder{a.telemetry}
	if deps.Recorder != nil {
		all = append(all, deps.Recorder)
	}
	a.builder = policy.NewBuilder(policy.Deps{Log: component(a.log, "judges"), Observe: a.judgeCall})
	a.closers.add("models", func(context.Context) error { a.builder.Close(); return nil })
	a.pipeline, err = newPipeline(cfg, redactor, a.builder, a.store, recorder{counts: &a.counts, all: all}, component(a.log, "pipeline"))
	if err != nil {
		return nil, err
	}

	// The source of events. The consumer names itself in its log.
	kafka := cfg.Kafka
	kafka.SASL.Sign = mskiam.New().Sign // looks for an AWS identity only when called
	parts := consumer.Deps{
		Handle:  a.handle,
		Skip:    a.pipeline.Skip,
		Observe: observer{counts: &a.counts, telemetry: a.telemetry},
		Log:     a.log,
	}
	if stream := a.telemetry.DataStream(kafka.Topic, kafka.Group); stream != nil {
		reportTo(stream, &parts)
	}
	a.consumer, err = consumer.New(kafka, parts)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// handle evaluates one message. One that waits for a model when the worker stops is left to
// the next worker.
func (a *App) handle(ctx context.Context, m event.Message) error {
	err := a.pipeline.Handle(ctx, m)
	if errors.Is(err, pipeline.ErrStopped) {
		return consumer.ErrGiveBack
	}
	return err
}

// component returns the log of one part.
func component(log *slog.Logger, name string) *slog.Logger {
	return log.With(slog.String(keyComponent, name))
}

// HealthAddr returns the address of the health server, or "" without one.
func (a *App) HealthAddr() string {
	if a.health == nil {
		return ""
	}
	return a.health.Addr()
}

// Run waits for the store, consumes until ctx ends, then drains, leaves the group
// and closes everything that New opened. It may be called once. It returns nil
// after a clean stop.
func (a *App) Run(ctx context.Context) error {
	if !a.ran.CompareAndSwap(false, true) {
		return errors.New("app: Run was called before")
	}
	a.log.Info("worker starts", slog.String("version", a.version), slog.String("topic", a.cfg.Kafka.Topic),
		slog.String("group", a.cfg.Kafka.Group), slog.String("policy", a.pipeline.Policy().Revision()),
		slog.Int("evaluators", len(a.pipeline.Policy().Evaluators)), slog.String("health", a.HealthAddr()),
		slog.Bool("datadog", a.cfg.Datadog.Enabled), slog.Bool("llm_observability", a.cfg.Datadog.Enabled && a.cfg.Datadog.LLMObservability.Enabled),
		slog.Bool("data_streams", a.cfg.Datadog.Enabled && a.cfg.Datadog.DataStreams))
	if w := a.cfg.Kafka.Warning(); w != "" {
		a.log.Warn("a login without TLS", slog.String("problem", w))
	}
	defer context.AfterFunc(ctx, func() {
		a.stopping.Store(true)
		a.pipeline.Stop()
		a.log.Info("worker stops: no more events are fetched, those in flight may finish", slog.Int("in_flight", a.consumer.Status().InFlight),
			slog.String("grace", a.cfg.Shutdown.Grace.String()))
	})()
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	var probes, side sync.WaitGroup
	if a.health != nil {
		// It ends when it is closed, which happens last, so probes are answered
		// until then.
		probes.Go(func() {
			if err := a.health.Serve(); err != nil {
				a.log.Error("health server has ended: probes get no answer until a restart", slog.Any(keyError, err))
			}
		})
	}
	aside, stop := context.WithCancel(ctx)
	side.Go(func() { a.gauges(aside) })
	if a.watcher != nil {
		side.Go(func() { a.watch(aside) })
	}
	err := a.connect(ctx)
	if err == nil {
		side.Go(func() { a.retain(aside) })
		err = a.consumer.Run(ctx)
	}
	stop()
	side.Wait() // a reload must not use parts that are being closed
	a.gauge()   // gauges keep their last value, so set it after the drain
	err = errors.Join(err, a.close())
	probes.Wait()
	s := a.counts.snapshot()
	a.log.Info("worker stopped", slog.Int64("consumed", s.Consumed), slog.Int64("unwanted", s.Unwanted), slog.Int64("sampled_out", s.SampledOut),
		slog.Int64("evaluated", s.Evaluated), slog.Int64("dead_lettered", s.DeadLettered))
	return err
}

// close closes everything that New opened.
func (a *App) close() error { return a.closers.close(a.cfg.Shutdown.Close) }

// heapFloor is memory that is allocated and never touched, so it never becomes
// resident. The collector counts it as live and therefore waits for at least that
// much garbage. A worker's live heap is some 7 MB and each evaluated event leaves
// several KB of garbage: collecting at 14 MB would cost validation a tenth more
// CPU. A higher GOGC saves as much, but it multiplies a heap that has grown with
// large events in flight, and a memory limit can only make collections more
// frequent. Go has no other lower bound for the heap.
const heapFloor = 24 << 20

// gaugeEvery is the interval at which lag and load are reported.
const gaugeEvery = 5 * time.Second

// gauges reports lag and load until ctx ends.
func (a *App) gauges(ctx context.Context) {
	tick := time.NewTicker(gaugeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.gauge()
		}
	}
}

// gauge reports lag and load once.
func (a *App) gauge() {
	s := a.consumer.Status()
	a.settle(s.InFlight)
	a.checkSampling(a.pipeline.Policy().Sampler)
	a.telemetry.Inflight(s.InFlight)
	since, _ := a.storeDown()
	a.telemetry.StoreDown(!since.IsZero())
	a.telemetry.KafkaDown(s.Down())
	a.telemetry.PartitionsDown(s.PartitionsDown())
	waiting := 0
	for _, m := range a.builder.Models() {
		waiting += m.Held
	}
	a.telemetry.JudgesHeld(waiting)
	held := make([]int, len(s.Partitions))
	for i, p := range s.Partitions {
		held[i] = p.Partition
		a.telemetry.Lag(p.Partition, p.Lag, p.Unfinished)
		a.telemetry.OldestAge(p.Partition, p.OldestAgeSeconds)
	}
	a.telemetry.Partitions(held...)
}
