package consumer

import (
	"context"
	"sync/atomic"
	"time"
)

// partition is what this member holds of one partition. It goes on over
// generations in which the partition stays here.
type partition struct {
	id      int
	tracker *tracker
	// work is the context of its handlers; it ends when the partition is lost
	// or the consumer stops.
	work   context.Context
	cancel context.CancelCauseFunc
	// high is the offset after the newest message; unplaced until it is known.
	high atomic.Int64
	// reading: a connection is open at an offset that lay within the partition.
	open atomic.Bool
	// trouble is what fetching it last failed with.
	outage outage
	// settle is how long its first fetch waits. Sessions only.
	startDelay time.Duration
}

func newPartition(ctx context.Context, id int, stored int64) *partition {
	p := &partition{id: id, tracker: newTracker(stored)}
	p.work, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	p.high.Store(unknownOffset)
	return p
}

// sawHigh notes how far the partition reaches.
func (p *partition) raiseHigh(offset int64) {
	for {
		known := p.high.Load()
		if offset <= known || p.high.CompareAndSwap(known, offset) {
			return
		}
	}
}
