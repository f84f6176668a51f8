package validators

import (
	"container/list"
	"sync"
)

// lru keeps the values that were used last, up to its size. When it is full, the
// one that has not been used for longest goes. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	size int

	mu    sync.Mutex
	order *list.List          // guarded by mu; of entry[K, V], most recent first
	byKey map[K]*list.Element // guarded by mu
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](size int) *lru[K, V] {
	return &lru[K, V]{size: size, order: list.New(), byKey: make(map[K]*list.Element, size)}
}

// of gives the value of a key, made by build unless it is known. Two callers that
// ask for the same unknown key at the same moment both build it; one is kept.
func (l *lru[K, V]) of(key K, build func() V) V {
	l.mu.Lock()
	if at, ok := l.byKey[key]; ok {
		l.order.MoveToFront(at)
		value := at.Value.(entry[K, V]).value
		l.mu.Unlock()
		return value
	}
	l.mu.Unlock()

	value := build()

	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.byKey[key]; ok {
		return at.Value.(entry[K, V]).value
	}
	l.byKey[key] = l.order.PushFront(entry[K, V]{key, value})
	if l.order.Len() > l.size {
		oldest := l.order.Back()
		l.order.Remove(oldest)
		delete(l.byKey, oldest.Value.(entry[K, V]).key)
	}
	return value
}
