package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// Publisher writes events to Kafka, as an [emitter.Publisher] does.
type Publisher interface {
	// Prepare makes an event ready to be kept and published, or reports why it could
	// never be.
	Prepare(value []byte, decode func([]byte) (*event.Event, error)) (emitter.Prepared, error)
	// Publish tries once to write events in order.
	Publish(ctx context.Context, events []emitter.EncodedEvent) (emitter.PublishResult, error)
}

// Deps are the sidecar's dependencies. All are required. The caller closes them
// after Run has returned.
type Deps struct {
	Spool     *spool.Spool
	Publisher Publisher
	Log       *slog.Logger
	Topic     string // for the status
	Version   string // for the status
}

// Sidecar is the server with its forwarder. It can run once.
type Sidecar struct {
	cfg          Config
	deps         Deps
	log          *slog.Logger
	server       *serve.Server
	intake       *intake // closed when the sidecar stops
	bodies       bodies
	tooLarge     *answer // to a body beyond the limit
	forward      *forwarder
	started      time.Time
	found        spool.Stats // at the start
	counts       counts
	rejectionLog rejectionLog
	spoolFull    outage.Limiter
	warned       outage.Limiter
	mends        mends
	disk         outage.Outage // of writing
}

// New binds the address, so that a port that is taken is known before any work
// begins. The caller must call Run.
func New(ctx context.Context, cfg Config, deps Deps) (*Sidecar, error) {
	faults := cfg.Validate()
	cfg = cfg.withDefaults()
	found := deps.Spool.Stats()
	if found.MaxBytes < cfg.MinSpoolBytes() {
		faults.Add("max_body_bytes", fmt.Sprintf("%d is too much for a spool of %d", cfg.MaxBodyBytes, found.MaxBytes), "want at most a quarter of the spool")
	}
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("configure sidecar: %w", err)
	}
	s := &Sidecar{
		cfg: cfg, deps: deps, log: deps.Log.With("component", "sidecar"), started: time.Now(),
		intake: newIntake(cfg.Concurrency), bodies: bodies{limit: cfg.MaxBodyBytes}, found: found,
		tooLarge: reject(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", cfg.MaxBodyBytes)),
	}
	s.forward = &forwarder{
		spool: deps.Spool, limits: spool.Limits{Records: cfg.BatchEvents, Bytes: cfg.BatchBytes}, publisher: deps.Publisher,
		backoff: backoff.Backoff{Min: cfg.BackoffMin, Max: cfg.BackoffMax}, log: s.log, counts: &s.counts,
	}
	var err error
	s.server, err = serve.New(ctx, "sidecar", cfg.Listen, cfg.maxConns(), &http.Server{
		Handler:      s.handler(),
		ReadTimeout:  cfg.RequestTimeout,
		WriteTimeout: 2*cfg.RequestTimeout + 5*time.Second, // the body, then the disk, then the answer
		IdleTimeout:  2 * time.Minute,
		ErrorLog:     serve.ErrorLog(s.log),
	})
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest of its text would only repeat the address
		}
		return nil, fmt.Errorf("sidecar: listen on %s: %w; set listen to another address", cfg.Listen, err)
	}
	return s, nil
}

// Addr returns the address that is bound.
func (s *Sidecar) Addr() string { return s.server.Addr() }

// heapFloor is memory that is allocated and never touched, so it never becomes
// resident. The garbage collector counts it as live and waits for as much garbage again.
// Little of a sidecar's heap lives, and without a floor the collector runs so often that
// it takes a tenth of the CPU. This one costs 8 MB of garbage; three times as much of it
// saves no more.
const heapFloor = 8 << 20

// Run serves and sends until ctx ends. Then it accepts no more events, lets requests
// finish and sends the spool, all within Config.Grace; what is left stays in the
// spool for the next start, which is not an error. Meanwhile it answers probes and
// status, so that the stop can be watched, and events with 503.
func (s *Sidecar) Run(ctx context.Context) error {
	s.log.Info("sidecar starts", "addr", s.Addr(), "topic", s.deps.Topic, "version", s.deps.Version,
		"token", s.cfg.Token != "", "spooled_events", s.found.Events)
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var running sync.WaitGroup
	running.Go(func() { s.forward.run(work) })
	running.Go(func() { s.logLateRejections(work) })
	failed := make(chan error, 1)
	running.Go(func() { failed <- s.server.Serve() })

	var serveErr error
	select {
	case <-ctx.Done():
	case serveErr = <-failed:
	}
	s.intake.close()
	s.log.Info("sidecar stops: nothing more is taken, what is spooled is sent", "spooled_events", s.deps.Spool.Stats().Events, "grace", s.cfg.Grace.String())
	grace, cancel := context.WithTimeoutCause(work, s.cfg.Grace, fmt.Errorf("the grace of %v is over", s.cfg.Grace))
	defer cancel()
	// In this order: a request that has left the intake has stored its events.
	if err := s.intake.wait(grace); err != nil {
		s.log.Warn("sidecar: requests are cut off", "error", err)
	}
	if err := s.deps.Spool.Drained(grace); err != nil {
		s.log.Warn("sidecar: what could not be sent stays in the spool, and is sent after the next start", "error", err)
	}
	if err := s.server.Close(grace); err != nil {
		s.log.Warn("sidecar: connections are cut off", "error", err)
	}
	stopWork()
	running.Wait()
	st := s.Status()
	s.log.Info("sidecar stopped", "accepted", st.Events.Accepted, "sent", st.Events.Sent, "set_aside", st.Events.SetAside, "spooled_events", st.Spool.Events)
	return serveErr
}
