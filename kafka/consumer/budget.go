package consumer

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// byteBudget bounds the bytes of the messages in flight and of those that wait for a
// slot. It serves them in the order in which they ask, so a large message would hold
// up the small ones behind it. Messages above a quarter of the whole therefore queue
// separately for three quarters of it first; in the common queue they then wait only
// for what small ones hold.
type byteBudget struct {
	all, large   *semaphore.Weighted
	whole, share int64 // of all, and of large
}

func newByteBudget(bytes int) *byteBudget {
	whole := int64(bytes)
	share := whole - whole/4
	return &byteBudget{all: semaphore.NewWeighted(whole), large: semaphore.NewWeighted(share), whole: whole, share: share}
}

// acquire waits for room, and returns how much to release. A larger message takes all.
func (b *byteBudget) acquire(ctx context.Context, bytes int) (taken int64, err error) {
	taken = min(int64(bytes), b.whole)
	if large := b.largePart(taken); large > 0 { // even zero would wait in the queue
		if err := b.large.Acquire(ctx, large); err != nil {
			return 0, err
		}
	}
	if err := b.all.Acquire(ctx, taken); err != nil {
		b.large.Release(b.largePart(taken))
		return 0, err
	}
	return taken, nil
}

func (b *byteBudget) release(taken int64) {
	b.all.Release(taken)
	b.large.Release(b.largePart(taken))
}

// largePart returns what a message takes of the share of the large ones.
func (b *byteBudget) largePart(taken int64) int64 {
	if taken <= b.whole/4 {
		return 0
	}
	return min(taken, b.share)
}
