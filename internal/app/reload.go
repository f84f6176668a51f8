package app

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
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
}

// reloads counts the watcher's reports, for /statusz.
type reloads struct {
	mu     sync.Mutex
	r      Reloads       // guarded by mu
	loaded policy.Config // the last that was loaded; the watcher's goroutine only
}

func (r *reloads) snapshot() Reloads {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r
}

func (r *reloads) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.r.Last = time.Now()
	if err != nil {
		r.r.Refused++
		r.r.Error = err.Error()
		return
	}
	r.r.Applied++
	r.r.Error = ""
}

// watch applies new revisions of the policy until ctx ends.
func (a *App) watch(ctx context.Context) {
	a.reloads.loaded = a.cfg.Policy
	if err := a.watcher.Run(ctx, a.reload); err != nil && ctx.Err() == nil {
		a.log.Error("configuration is no longer watched: restart to load a new one", slog.Any(keyError, err))
	}
}

// reload applies a new revision. Events in flight finish under the old one, which
// also stays in use when the new one has a fault.
func (a *App) reload(cfg *config.Config, err error) {
	before := a.pipeline.Policy()
	old := before.Revision()
	same := false
	if err == nil {
		var next *policy.Policy
		if next, err = a.builder.Build(&cfg.Policy); err == nil {
			a.pipeline.Replace(next)
			same = reflect.DeepEqual(a.reloads.loaded, cfg.Policy) && slices.EqualFunc(before.Evaluators, next.Evaluators, sameVersion)
			a.reloads.loaded = cfg.Policy
		}
	}
	a.reloads.note(err)
	if err != nil {
		a.telemetry.Reload(false)
		a.log.Error("new configuration refused, the old one stays in use", slog.String("policy", old), slog.Any(keyError, err))
		return
	}
	a.telemetry.Reload(true)
	if same { // it was told to, for a key that was renewed; or what has changed needs a restart
		a.log.Info("configuration loaded again: what may change without a restart is the same", slog.String("policy", old))
		return
	}
	a.log.Info("new configuration in use", slog.String("policy", a.pipeline.Policy().Revision()), slog.String("before", old))
}

// sameVersion reports whether two evaluators give the same verdicts: versions follow
// rubrics and schemas too.
func sameVersion(a, b policy.Evaluator) bool {
	return a.Name() == b.Name() && a.Version() == b.Version()
}
