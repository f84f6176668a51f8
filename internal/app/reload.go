package app

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/policy"
)

// Reloads counts the revisions of the configuration since the start.
type Reloads struct {
	Applied int       `json:"applied"`
	Refused int       `json:"refused"`
	Last    time.Time `json:"last,omitzero"`
	// Error is why the last revision was rejected; empty when it was applied.
	Error string `json:"error,omitempty"`
	// NeedsRestart are keys that have changed and take effect at the next start.
	NeedsRestart []string `json:"needs_restart,omitempty"`
}

// reloads counts the watcher's reports, for /statusz.
type reloads struct {
	mu sync.Mutex
	r  Reloads // guarded by mu
}

func (r *reloads) snapshot() Reloads {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r
}

// note counts a report of the watcher: an error, or what needs a restart.
func (r *reloads) note(err error, needsRestart []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.r.Last = time.Now()
	if err != nil {
		r.r.Refused++
		r.r.Error = err.Error()
		return
	}
	r.r.Applied++
	r.r.Error, r.r.NeedsRestart = "", needsRestart
}

// watch applies new revisions of the policy until ctx ends.
func (a *App) watch(ctx context.Context) {
	if err := a.watcher.Run(ctx, a.reload); err != nil && ctx.Err() == nil {
		a.log.Error("configuration is no longer watched: restart to load a new one", slog.Any(keyError, err))
	}
}

// reload applies a new revision and logs what changed. Events in flight finish under the
// old one, which also stays in use when the new one has a fault.
func (a *App) reload(cfg *config.Config, err error) {
	before := a.pipeline.Policy()
	var next *policy.Policy
	var needsRestart []string
	if err == nil {
		needsRestart = cfg.NeedsRestart
		next, err = a.builder.Build(&cfg.Policy)
	}
	a.telemetry.Reload(err == nil)
	if err != nil {
		a.reloads.note(err, nil)
		a.log.Error("new configuration refused, the old one stays in use", slog.String("policy", before.Revision()), slog.Any(keyError, err))
		return
	}
	a.pipeline.Replace(next)
	a.reloads.note(nil, needsRestart)
	log := a.log.With(slog.String("policy", next.Revision()))
	if len(needsRestart) > 0 { // the watcher has warned of them in a line of its own
		log = log.With(slog.String("needs_restart", strings.Join(needsRestart, ", ")))
	}
	changes := next.Changes(before)
	if len(changes) == 0 { // it was told to, for a key that was renewed; or what has changed needs a restart
		log.Info("configuration loaded again: what may change without a restart is the same")
		return
	}
	log.Info("new configuration in use", slog.String("before", before.Revision()), slog.String("changes", strings.Join(changes, "; ")))
}
