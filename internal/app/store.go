package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/store"
)

// openStore returns the store. A store in a file is opened and claimed at once,
// because waiting does not cure its faults. Run connects to a store on a server, so
// that probes are answered meanwhile.
func openStore(ctx context.Context, cfg store.Config) (_ *store.Store, err error) {
	s, err := store.OpenLater(cfg)
	if err != nil || cfg.Remote() {
		return s, err
	}
	if err = s.ClaimExisting(); err == nil {
		err = s.Connect(ctx)
	}
	if err == nil {
		err = s.Claim()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// logMigration says that the tables of the store were changed, from which version and to
// which, because programs that do not know the new one may be refused from then on.
func logMigration(log *slog.Logger, s *store.Store) {
	if from, to := s.Migrated(); from > 0 && from < to {
		v := s.Versions()
		log.Warn("store migrated: programs that know only older versions of its tables may be refused", slog.Int("from", from), slog.Int("to", to),
			slog.Int("lowest_reader", v.LowestReader), slog.Int("lowest_writer", v.LowestWriter))
	}
}

// explainPort explains why the health server's port is taken: often a second
// worker was started, and then the store is claimed too, so that another port
// would not help.
func explainPort(cfg store.Config, err error) error {
	if claimed := store.Claimed(cfg); claimed != nil {
		return fmt.Errorf("%w; and %w", claimed, err)
	}
	return err
}

// connect waits until the store can be reached. When a database restarts, the whole
// fleet loses it at once, and if workers ended they would be restarted ever more
// slowly; so the worker stays, is not ready, and takes no events. connect also
// returns nil when ctx ends first, and an error when waiting cannot help.
func (a *App) connect(ctx context.Context) error {
	pause := backoff.Backoff{Min: 200 * time.Millisecond, Max: 5 * time.Second}
	for attempt := 1; ; attempt++ {
		err := a.store.Connect(ctx)
		if err == nil {
			logMigration(a.log, a.store)
			a.tables.Store(int64(a.store.Versions().Store))
			if since, told := a.starting.End(); told {
				a.log.Info("store is reachable", slog.Duration("after", time.Since(since)))
			}
			return nil
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped before the store could be reached
		}
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if seen, ok := a.starting.Fail(err); ok {
			a.log.Error("store is down: no events are taken until it is reachable", slog.Any(keyError, err), seen.Attr())
		}
		pause.Wait(ctx, attempt)
	}
}

// storeDown returns since when and why cases cannot be kept, or a zero time. The reason is
// that of the store and not of the event that asked last, so that probes say the same.
func (a *App) storeDown() (time.Time, error) {
	if since, err := a.starting.Now(); err != nil {
		return since, err
	}
	since, err := a.pipeline.StoreDown()
	if why := a.store.WriteFault(); err != nil && why != nil {
		err = why
	}
	return since, err
}
