package sampler

import "sync"

// table remembers what the conditions say about an envelope. When it is full it is
// emptied: every entry can be computed again, so nothing but time is at stake.
// The memory is bounded by maxEntries keys of at most maxKey bytes.
//
// Envelopes come from applications and are few-valued unless one puts an id into
// a field. Then most look-ups miss, and each miss costs one evaluation of the
// conditions and one allocation.
//
// A set-associative table without a lock was no faster: 200 ns a decision on ten
// fields beside 194, and 235 beside 233 on two processors at once.
type table struct {
	mu      sync.RWMutex
	entries map[string]*rates // guarded by mu
}

const (
	maxEntries = 4096
	maxKey     = 256
)

// appendKey appends one value to a key. Lengths go before values, so that two
// different lists of values never have the same key. It reports false when the
// value or the key would be too long to be kept.
func appendKey[T string | []byte](key []byte, v T) ([]byte, bool) {
	if len(v) > 255 || len(key)+1+len(v) > maxKey {
		return key, false
	}
	key = append(key, byte(len(v)))
	return append(key, v...), true
}

// find returns the rates for a key, nil when they are not there.
func (t *table) find(key []byte) *rates {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[string(key)]
}

// put remembers the rates for a key.
func (t *table) put(key []byte, r *rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries == nil || len(t.entries) >= maxEntries {
		t.entries = map[string]*rates{}
	}
	t.entries[string(key)] = r
}
