package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// Publisher writes events to Kafka; an [emitter.Publisher].
type Publisher interface {
	// MaxEventBytes is the size beyond which Check refuses every event.
	MaxEventBytes() int
	// Check reports why an event could never be published.
	Check(ev *event.Event, value []byte) error
	// Publish tries once to write events in order.
	Publish(ctx context.Context, events []emitter.Encoded) (emitter.Published, error)
}

// Deps are what the sidecar works with. All are required, and stay the caller's:
// they are closed after Run has returned.
type Deps struct {
	Spool     *spool.Spool
	Publisher Publisher
	Log       *slog.Logger
	Topic     string // for the status
	Version   string // likewise
}

// Sidecar is the server with its forwarder. It is made by New and run once.
type Sidecar struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	http     http.Server
	listener net.Listener
	gate     *gate // of the requests in flight; closed when the sidecar stops
	forward  *forwarder
	started  time.Time
	found    spool.Stats // at the start
	counts   counts
	told     told
	full     rare
	disk     trouble
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
		gate: newGate(cfg.Concurrency), found: found,
	}
	s.forward = &forwarder{cfg: cfg, spool: deps.Spool, publisher: deps.Publisher, log: s.log, counts: &s.counts}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest of its text would only say again where
		}
		return nil, fmt.Errorf("sidecar: listen on %s: %w; set listen to another address", cfg.Listen, err)
	}
	s.listener = netutil.LimitListener(l, maxConns)
	s.http = http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       cfg.RequestTimeout,
		WriteTimeout:      2*cfg.RequestTimeout + 5*time.Second, // the body, then the disk, then the answer
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// Addr gives the address that is bound.
func (s *Sidecar) Addr() string { return s.listener.Addr().String() }

// Run serves and sends until ctx ends. Then it takes nothing more, lets requests
// finish, and sends what is spooled, all within Config.Grace; what is left stays
// in the spool for the next start, which is no error. Until then it goes on
// answering: probes and status, so that the stop can be watched, and events with
// 503.
func (s *Sidecar) Run(ctx context.Context) error {
	s.log.Info("sidecar starts", "addr", s.Addr(), "topic", s.deps.Topic, "version", s.deps.Version,
		"token", s.cfg.Token != "", "spooled_events", s.found.Events)
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var running sync.WaitGroup
	running.Go(func() { s.forward.run(work) })
	running.Go(func() { s.keepTelling(work) })
	failed := make(chan error, 1)
	running.Go(func() { failed <- s.http.Serve(s.listener) })

	var serveErr error
	select {
	case <-ctx.Done():
	case err := <-failed:
		serveErr = fmt.Errorf("sidecar: %w", err)
	}
	s.gate.close()
	s.log.Info("sidecar stops: nothing more is taken, what is spooled is sent", "spooled_events", s.deps.Spool.Stats().Events, "grace", s.cfg.Grace.String())
	grace, cancel := context.WithTimeout(work, s.cfg.Grace)
	defer cancel()
	// In this order: who has left the gate has put its events into the spool.
	if err := s.gate.wait(grace); err != nil {
		s.log.Warn("sidecar: requests are cut off", "error", err)
	}
	if err := s.deps.Spool.Drained(grace); err != nil {
		s.log.Warn("sidecar: what could not be sent stays in the spool, and is sent after the next start", "error", err)
	}
	if err := s.http.Shutdown(grace); err != nil {
		s.log.Warn("sidecar: connections are cut off", "error", errors.Join(err, s.http.Close()))
	}
	stopWork()
	running.Wait()
	st := s.Status()
	s.log.Info("sidecar stopped", "accepted", st.Events.Accepted, "sent", st.Events.Sent, "set_aside", st.Events.SetAside, "spooled_events", st.Spool.Events)
	return serveErr
}
