package consumer

import (
	"time"

	"github.com/segmentio/kafka-go"
)

// mark is what a commit tells the broker about one partition.
type checkpoint struct {
	low  int64 // the offset to commit
	runs []run // finished above low, ascending
	// version and epoch are those of the tracker when the mark was taken.
	version, epoch uint64
}

// mark gives what is to be committed now; ok is false when the broker knows it
// already and is sure to keep it, or when there is nothing to tell.
func (t *tracker) checkpoint() (m checkpoint, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version == t.saved && t.doubtUntil.IsZero() || t.low < 0 || t.low < t.committed {
		return checkpoint{}, false
	}
	m = checkpoint{low: t.low, version: t.version, epoch: t.epoch}
	for s := t.head; s != nil; s = s.after {
		if !s.working {
			m.runs = append(m.runs, s.run)
		}
	}
	m.runs = append(m.runs, t.restored...)
	return m, true
}

// commit says it to the broker, with the lowest runs where not all fit into limit
// bytes of metadata.
func (m checkpoint) request(partition, limit int) kafka.OffsetCommit {
	return kafka.OffsetCommit{Partition: partition, Offset: m.low, Metadata: encodeRuns(m.low, m.runs, limit)}
}

// told says whether the broker knows all that there is to tell.
func (t *tracker) isCommitted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version == t.saved || t.low < 0 || t.low < t.committed
}

// accepted notes that the broker has stored a mark, which was sent at a time. Runs
// that did not fit wait for the next change: until then another commit would say
// the same.
func (t *tracker) accepted(m checkpoint, sent time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.epoch != t.epoch {
		return
	}
	t.committed, t.saved = max(t.committed, m.low), m.version
	if sent.After(t.doubtUntil) {
		t.doubtUntil = time.Time{}
	}
}

// unanswered notes that a mark was sent and nobody knows what became of it. It may
// lie in a socket yet, and be stored over newer ones, so that these have to be
// sent again until it cannot be under way any more.
func (t *tracker) unanswered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubtUntil = time.Now().Add(requestTimeout)
}

// progress is where a tracker stands, for Status.
type progress struct {
	low, next, committed int64
	working, spans       int
}

func (t *tracker) progress() progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return progress{low: t.low, next: t.next, committed: t.committed, working: t.working, spans: t.spans}
}
