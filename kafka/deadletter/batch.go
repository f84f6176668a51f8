package deadletter

import "slices"

const (
	// batchLetters is how many letters are published before they are marked: what
	// a run that is killed has published again by the next one.
	batchLetters = 100
	// batchBytes closes a batch as well; the last letter may exceed it.
	batchBytes = 512 << 10
)

// batch is letters of one partition that are published and marked together.
type batch struct {
	partition int // of the letters
	items     []item
	bytes     int
}

// item is a letter of a batch.
type item struct {
	letter   *Letter
	identity identity // of its message
	message  *message // to publish; nil for a duplicate, which is marked only
	rejected bool     // by the broker, for its size
	sent     bool     // the broker has accepted it
	marked   bool     // or refused: nothing is left to do
}

func (b *batch) add(l *Letter, of identity, m *message) {
	b.items = append(b.items, item{letter: l, identity: of, message: m})
	if m != nil {
		b.bytes += size(m.key, m.value, m.headers)
	}
}

// messages is how many there are to publish.
func (b *batch) messages() int {
	n := 0
	for i := range b.items {
		if b.items[i].message != nil {
			n++
		}
	}
	return n
}

// holds reports whether that message waits in the batch.
func (b *batch) contains(of identity) bool {
	return slices.ContainsFunc(b.items, func(i item) bool { return i.message != nil && i.identity == of })
}
