package validators

import "sync"

// lru caches the most recently used values. When it is full, the least recently
// used one is dropped. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	size int // small: all are looked at to find the oldest

	mu      sync.Mutex
	uses    int             // guarded by mu
	entries map[K]*entry[V] // guarded by mu
}

type entry[V any] struct {
	value V   // never changes
	used  int // what uses was when the entry was last used
}

func newLRU[K comparable, V any](size int) *lru[K, V] {
	return &lru[K, V]{size: size, entries: make(map[K]*entry[V], size)}
}

// get returns the cached value of a key, or builds it. Concurrent callers for the
// same missing key all build it; one value is kept.
func (l *lru[K, V]) get(key K, build func() V) V {
	l.mu.Lock()
	l.uses++
	e, ok := l.entries[key]
	if ok {
		e.used = l.uses
	}
	l.mu.Unlock()
	if ok {
		return e.value
	}

	value := build()

	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[key]; ok {
		return e.value
	}
	if len(l.entries) == l.size {
		var oldest K
		least := l.uses + 1
		for k, e := range l.entries {
			if e.used < least {
				oldest, least = k, e.used
			}
		}
		delete(l.entries, oldest)
	}
	l.entries[key] = &entry[V]{value, l.uses}
	return value
}
