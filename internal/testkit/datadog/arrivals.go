package datadog

import (
	"context"
	"slices"
	"sync"
)

// arrivals collects the items that arrive at a sink. The zero value is ready.
type arrivals[T any] struct {
	mu   sync.Mutex
	list []T           // guarded by mu
	news chan struct{} // guarded by mu; closed when list grows; nil without a waiter
}

func (a *arrivals[T]) add(items ...T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, items...)
	if a.news != nil {
		close(a.news)
		a.news = nil
	}
}

func (a *arrivals[T]) all() []T {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// wait returns true once ok does, which it calls after each arrival, and false when
// ctx ends first.
func (a *arrivals[T]) wait(ctx context.Context, ok func() bool) bool {
	for {
		a.mu.Lock()
		if a.news == nil {
			a.news = make(chan struct{})
		}
		news := a.news
		a.mu.Unlock()
		if ok() {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ok()
		}
	}
}
