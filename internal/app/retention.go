package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/evalworker/evalworker/store"
)

// RetentionStatus says what the store keeps (store.keep) and what was deleted last. The
// workers that share a store delete in turns, so the last run of this worker need not be
// the last of all.
type RetentionStatus struct {
	Age     string    `json:"age,omitempty"`  // such as 2160h0m0s; empty: of any age
	Rows    int       `json:"rows,omitempty"` // failures; 0: any number
	LastRun time.Time `json:"last_run,omitzero"`
	Deleted Deleted   `json:"deleted"`         // by the last run
	Error   string    `json:"error,omitempty"` // of the last run
}

// Deleted counts what one run of retention has deleted.
type Deleted struct {
	Cases     int `json:"cases"`
	Failures  int `json:"failures"`
	Exemplars int `json:"exemplars"`
}

// retention remembers the last run.
type retention struct {
	mu   sync.Mutex
	last RetentionStatus // guarded by mu; without the bounds
}

// ran notes a run of retention.
func (r *retention) ran(d Deleted, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = RetentionStatus{LastRun: time.Now(), Deleted: d}
	if err != nil {
		r.last.Error = err.Error()
	}
}

// snapshot returns the status of retention within bounds.
func (r *retention) snapshot(keep store.Keep) RetentionStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.last
	if keep.Age > 0 {
		st.Age = keep.Age.String()
	}
	st.Rows = keep.Rows
	return st
}

// retain deletes what the store does not have to keep, until ctx ends.
func (a *App) retain(ctx context.Context) {
	a.store.Retain(ctx, func(deleted map[string]int, err error) {
		d := Deleted{Cases: deleted["cases"], Failures: deleted["occurrences"], Exemplars: deleted["exemplars"]}
		a.retention.ran(d, err)
		if err != nil {
			a.log.Warn("old failures not deleted: the store grows, and it is tried again in an hour", slog.Any(keyError, err))
		}
		if d != (Deleted{}) {
			a.log.Info("old failures deleted", slog.Int("cases", d.Cases), slog.Int("failures", d.Failures), slog.Int("exemplars", d.Exemplars))
		}
	})
}
