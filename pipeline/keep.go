package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/outage"
)

// keep offers a failing report to the keeper until it is stored or ctx ends.
func (p *Pipeline) keep(ctx context.Context, r *eval.Report, red *redaction) (int, error) {
	redacted, err := red.redacted()
	if err != nil {
		if seen, ok := p.withheld.Allow(); ok {
			p.log.LogAttrs(ctx, slog.LevelWarn, "case kept without content, which cannot be redacted", slog.String(keyRequest, string(r.Event.RequestID)),
				slog.String(keyReason, string(eval.ReasonRedaction)), seen.Attr())
		}
	} else if redacted.ContentWithheld != "" {
		redacted = nil // the case has no content either, and says so
	}
	pause := backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for attempt := 1; ; attempt++ {
		waited := attempt > 1
		n, err := p.keeper.Offer(ctx, r, redacted)
		if err == nil {
			p.stall.stored(p.log, waited)
			return n, nil
		}
		if ctx.Err() == nil {
			p.stall.storeFailed(p.log, err, string(r.Event.RequestID), waited)
			if pause.Wait(ctx, attempt) {
				continue
			}
			waited = true
		}
		if waited {
			p.stall.abandoned()
		}
		return 0, ctx.Err()
	}
}

// stall records that the store is down and how many events wait for it.
type stall struct {
	outage.Outage
	mu      sync.Mutex
	waiting int // guarded by mu; events that the store failed to take and that try again
}

// storeFailed records a failed attempt to keep a request; again says that the event was
// waiting already.
func (s *stall) storeFailed(log *slog.Logger, err error, request string, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !again {
		s.waiting++
	}
	if seen, ok := s.Fail(err); ok {
		log.Error("store is down: failing events wait and intake stalls", slog.Any(keyError, err), slog.String(keyRequest, request), seen.Attr())
	}
}

// stored records that the store accepted an event; waited says that it had been
// waiting.
func (s *stall) stored(log *slog.Logger, waited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waited {
		s.waiting--
	}
	if since, told := s.End(); told {
		log.Info("store is back", slog.Duration("after", time.Since(since)))
	}
}

// abandoned records that a waiting event goes to another worker. Once none is waiting
// the stall is over, because nothing here would notice that the store is back.
func (s *stall) abandoned() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.End()
	}
}

// StoreDown returns since when and why the store is down; zero while it is up.
func (p *Pipeline) StoreDown() (since time.Time, err error) { return p.stall.Now() }
