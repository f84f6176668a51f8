package consumer

import (
	"context"
	"time"

	"github.com/evalworker/evalworker/internal/backoff"
)

// An offset beyond the end is believed only when it stays so in beyondChecks more
// looks, beyondPause apart: after a change of leader the end may lag for a moment.
const (
	beyondChecks = 2
	beyondPause  = 500 * time.Millisecond
)

// startPoint is where to begin reading a partition.
type startPoint struct {
	offset int64
	// beyond: the offset to go on at lies beyond the end. The start is then what
	// the policy says, and may be lower.
	beyond bool
}

// findStart finds where to go on in a partition with the given bounds, when next
// is the offset to fetch next. What retention has deleted is jumped over.
//
// kafka-go would report neither case: it jumps silently, and waits for ever at an
// offset beyond the end.
func findStart(next int64, b logBounds, policy OutOfRange) startPoint {
	switch {
	case next < b.first: // unknown offsets too
		return startPoint{offset: b.first}
	case next > b.last && policy == OutOfRangeLast:
		return startPoint{offset: b.last, beyond: true}
	case next > b.last:
		return startPoint{offset: b.first, beyond: true}
	}
	return startPoint{offset: next}
}

// position puts the tracker where reading can go on, and reports what is lost when
// that is not where it stood.
func (g *generation) position(ctx context.Context, p *partition) error {
	var start startPoint
	for check := range beyondChecks + 1 {
		if check > 0 && !backoff.Wait(ctx, beyondPause) {
			return ctx.Err()
		}
		b, err := g.boundsOf(ctx, p)
		if err != nil {
			return err
		}
		p.high.Store(b.last)
		if start = findStart(p.tracker.progress().next, b, g.c.cfg.OutOfRange); !start.beyond {
			g.jump(p, start.offset)
			return nil
		}
	}
	from := p.tracker.progress().next
	p.tracker.reset(start.offset)
	g.c.observe.OffsetReset(p.id, from, start.offset)
	g.c.log.Warn("the stored offset lies beyond the end of the partition", keyPartition, p.id,
		keyOffset, from, "start", start.offset, "policy", string(g.c.cfg.OutOfRange))
	return nil
}

// explainGap looks whether offsets before a message are missing because they were
// deleted while we read; otherwise compaction has removed them.
func (g *generation) explainGap(ctx context.Context, p *partition, to int64) error {
	b, err := g.boundsOf(ctx, p)
	if err != nil {
		return err
	}
	if b.first > p.tracker.progress().next {
		g.jump(p, min(b.first, to))
	}
	return nil
}

// jump moves on to an offset, and reports what lies between as lost.
func (g *generation) jump(p *partition, to int64) {
	if lost := p.tracker.jump(to); lost > 0 {
		g.c.observe.LostToRetention(p.id, lost)
		g.c.log.Error("messages were deleted before they were read", keyPartition, p.id, keyOffset, to, keyCount, lost)
	}
}

func (g *generation) boundsOf(ctx context.Context, p *partition) (logBounds, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	all, err := g.c.bounds(ctx, []int{p.id})
	return all[p.id], err
}
