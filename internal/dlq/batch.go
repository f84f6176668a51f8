package dlq

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
	letter  *Letter
	message *message // to publish; nil for a duplicate, which is marked only
	refused bool     // by the broker, for its size
	sent    bool     // the broker has accepted it
	marked  bool     // or refused: nothing is left to do
}

func (b *batch) add(l *Letter, m *message) {
	b.items = append(b.items, item{letter: l, message: m})
	if m != nil {
		b.bytes += size(m.key, m.value, m.headers)
	}
}

// holds reports whether a message of that origin waits in the batch.
func (b *batch) holds(o Origin) bool {
	return o != (Origin{}) && slices.ContainsFunc(b.items, func(i item) bool { return i.message != nil && i.letter.Origin == o })
}

// maxRecent bounds what a run remembers of the messages that it has sent.
const maxRecent = 200_000

// recent remembers the origins of the last messages, maxRecent at least half of
// it. A worker that dies between the letter and its commit writes the letter
// again; the two stand near each other.
type recent struct{ young, old map[Origin]struct{} }

func (r *recent) add(o Origin) {
	if r.young == nil || len(r.young) >= maxRecent/2 {
		r.young, r.old = make(map[Origin]struct{}), r.young
	}
	r.young[o] = struct{}{}
}

func (r *recent) has(o Origin) bool {
	_, young := r.young[o]
	_, old := r.old[o]
	return young || old
}
