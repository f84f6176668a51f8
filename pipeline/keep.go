package pipeline

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// Waits between attempts to reach an archive that is down.
const (
	keepMinWait = 100 * time.Millisecond
	keepMaxWait = 5 * time.Second
)

// keep offers a failing report to the archive until it is taken or ctx ends.
func (p *Pipeline) keep(ctx context.Context, r *eval.Report, red *redaction) (int, error) {
	redacted, err := red.redacted()
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "case kept without content", slog.String(keyRequest, string(r.Event.RequestID)),
			slog.String(keyReason, string(eval.ReasonRedaction)))
	}
	wait := keepMinWait
	waiting := false
	for {
		n, err := p.archive.Offer(ctx, r, redacted)
		if err == nil {
			p.stall.over(p.log, waiting)
			return n, nil
		}
		if ctx.Err() != nil {
			p.stall.left(waiting)
			return 0, ctx.Err()
		}
		p.stall.at(p.log, err, waiting)
		waiting = true
		// Full jitter, so that many waiting events do not knock together.
		pause := time.NewTimer(rand.N(wait) + time.Millisecond) //nolint:gosec // a pause needs no strong randomness
		select {
		case <-ctx.Done():
			pause.Stop()
			p.stall.left(waiting)
			return 0, ctx.Err()
		case <-pause.C:
		}
		wait = min(2*wait, keepMaxWait)
	}
}

// stall remembers that the archive is down, and says so once a minute however
// many events wait for it.
type stall struct {
	mu      sync.Mutex
	since   time.Time // guarded by mu; zero: not stalled
	err     error     // guarded by mu
	logged  time.Time // guarded by mu
	waiting int       // guarded by mu; events that were turned away and try again
}

// at notes a failed attempt; again says that it was not the event's first.
func (s *stall) at(log *slog.Logger, err error, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !again {
		s.waiting++
	}
	now := time.Now()
	if s.since.IsZero() {
		s.since = now
	}
	s.err = err
	if now.Sub(s.logged) >= time.Minute {
		s.logged = now
		log.Error("store is down: failing events wait and intake stalls", slog.Any(keyError, err), slog.Time("since", s.since))
	}
}

// over notes that the archive took an event, which had been waiting or not.
func (s *stall) over(log *slog.Logger, waited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waited {
		s.waiting--
	}
	if s.since.IsZero() {
		return
	}
	log.Info("store is back", slog.Duration("after", time.Since(s.since)))
	s.since, s.err, s.logged = time.Time{}, nil, time.Time{}
}

// left notes that an event goes to another worker before the archive took it.
// When nobody waits any more, nothing is stalled and nobody would notice that the
// archive is back.
func (s *stall) left(waited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !waited {
		return
	}
	if s.waiting--; s.waiting == 0 {
		s.since, s.err = time.Time{}, nil
	}
}

// Status says whether the archive is down, since when and why.
type Status struct {
	StoreDownSince time.Time
	StoreError     error
}

// Status gives the pipeline's state. A zero value is good health.
func (p *Pipeline) Status() Status {
	p.stall.mu.Lock()
	defer p.stall.mu.Unlock()
	return Status{StoreDownSince: p.stall.since, StoreError: p.stall.err}
}
