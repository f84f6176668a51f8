package consumer

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// memory is what the messages hold that are begun, or wait for a slot. Whoever
// asks first is served first, so that a large message has its turn; while it waits
// it holds up small ones behind it, however much is free. Large ones, of more than
// a quarter of the whole, therefore wait for each other in a line of their own,
// where three quarters are given out: the rest is for small ones. In the common
// line a large one waits for nothing but what small ones hold.
type byteBudget struct {
	all, large   *semaphore.Weighted
	whole, share int64 // of all, and of large
}

func newByteBudget(bytes int) *byteBudget {
	whole := int64(bytes)
	share := whole - whole/4
	return &byteBudget{all: semaphore.NewWeighted(whole), large: semaphore.NewWeighted(share), whole: whole, share: share}
}

// take waits for memory and gives what release is to be told. One that is larger
// than the whole takes all of it.
func (m *byteBudget) acquire(ctx context.Context, bytes int) (taken int64, err error) {
	taken = min(int64(bytes), m.whole)
	if large := m.largePart(taken); large > 0 { // even none of it would wait in line
		if err := m.large.Acquire(ctx, large); err != nil {
			return 0, err
		}
	}
	if err := m.all.Acquire(ctx, taken); err != nil {
		m.large.Release(m.largePart(taken))
		return 0, err
	}
	return taken, nil
}

func (m *byteBudget) release(taken int64) {
	m.all.Release(taken)
	m.large.Release(m.largePart(taken))
}

// ofLarge is what a message takes of the share of the large ones.
func (m *byteBudget) largePart(taken int64) int64 {
	if taken <= m.whole/4 {
		return 0
	}
	return min(taken, m.share)
}
