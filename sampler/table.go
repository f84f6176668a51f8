package sampler

import (
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// table remembers what the conditions say about an envelope. It is a cache of
// fixed size, set-associative as a processor's: the hash of a key gives a set of
// a few slots, and the whole key is compared. Readers take no lock and write
// nothing. When a set is full the next entry takes the place of another; both
// would give the same answer again, so nothing but time is at stake. The memory
// is bounded by numSets * waysPerSet entries with keys of at most maxKey bytes.
//
// Envelopes come from applications and are few-valued unless somebody puts an
// id into a field. Then most look-ups miss, and each miss costs one evaluation
// of the conditions and one allocation.
type table struct {
	slots [numSets * waysPerSet]atomic.Pointer[entry]
}

const (
	numSets    = 1024
	waysPerSet = 4
)

// maxKey bounds the key of an entry, and so the memory of the table.
const maxKey = 256

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

// entry is immutable once it stands in a slot.
type entry struct {
	key   string
	rates *rates
}

// find gives the rates for a key and the key's hash, which put wants.
func (t *table) find(key []byte) (*rates, uint64) {
	h := xxhash.Sum64(key)
	set := int(h%numSets) * waysPerSet
	for i := range waysPerSet {
		if e := t.slots[set+i].Load(); e != nil && e.key == string(key) {
			return e.rates, h
		}
	}
	return nil, h
}

// put remembers the rates for a key. Two goroutines that put the same key at the
// same time may fill two slots with equal entries.
func (t *table) put(key []byte, h uint64, r *rates) {
	e := &entry{string(key), r}
	set := int(h%numSets) * waysPerSet
	for i := range waysPerSet {
		if t.slots[set+i].CompareAndSwap(nil, e) {
			return
		}
	}
	t.slots[set+int(h>>32%waysPerSet)].Store(e)
}
