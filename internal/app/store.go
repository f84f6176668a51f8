package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/evalworker/evalworker/store"
)

// Pauses between attempts to reach a store that is down.
const (
	connectMinWait = 200 * time.Millisecond
	connectMaxWait = 5 * time.Second
)

// sayEvery is how often the log says that the store is still down.
const sayEvery = time.Minute

// openStore gives the store. One in a file is opened, and claimed, here and now:
// what is wrong with it nobody mends by waiting. One on a server is reached in
// Run, where probes are answered meanwhile.
func openStore(ctx context.Context, cfg store.Config) (_ *store.Store, err error) {
	s, err := store.OpenLater(cfg)
	if err != nil || cfg.Remote() {
		return s, err
	}
	if err = s.Connect(ctx); err == nil {
		err = s.Claim()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// notAlone adds to the error of a port that is not free that another worker keeps
// its cases in the store's file, if one does: another port would not help then.
func notAlone(cfg store.Config, err error) error {
	if claimed := store.Claimed(cfg); claimed != nil {
		return fmt.Errorf("%w; and %w", claimed, err)
	}
	return err
}

// connect waits until the store is there. A database that restarts takes the
// whole fleet with it, and workers that ended would only be started again, ever
// more slowly; so the worker stays, is not ready, and takes no events. It gives
// nil also when ctx ends first, and an error when waiting cannot help.
func (a *App) connect(ctx context.Context) error {
	var logged time.Time
	for wait := connectMinWait; ; wait = min(2*wait, connectMaxWait) {
		err := a.store.Connect(ctx)
		if err == nil {
			if since, down := a.outage.end(); down {
				a.log.Info("store is there", slog.Duration("after", time.Since(since)))
			}
			return nil
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop before there was anything to do
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		since := a.outage.note(err)
		if time.Since(logged) >= sayEvery {
			logged = time.Now()
			a.log.Error("store is down: no events are taken until it is there", slog.Any(keyError, err), slog.Time("since", since))
		}
		pause := time.NewTimer(wait/2 + rand.N(wait)) //nolint:gosec // a pause needs no strong randomness
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// outage remembers that the store has not been reached since the worker started.
type outage struct {
	mu    sync.Mutex
	since time.Time // guarded by mu; zero: none
	err   error     // guarded by mu
}

func (o *outage) note(err error) (since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
	}
	o.err = err
	return o.since
}

func (o *outage) end() (since time.Time, down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, down = o.since, !o.since.IsZero()
	o.since, o.err = time.Time{}, nil
	return since, down
}

func (o *outage) get() (time.Time, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since, o.err
}

// storeDown gives since when and why nothing can be kept, or a zero time.
func (a *App) storeDown() (time.Time, error) {
	if since, err := a.outage.get(); !since.IsZero() {
		return since, err
	}
	s := a.pipeline.Status()
	return s.StoreDownSince, s.StoreError
}
