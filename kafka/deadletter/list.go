package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// Summary counts the letters that a filter chooses, regardless of Filter.Limit.
type Summary struct {
	Letters  int     // without the redriven ones, unless List includes these
	Redriven int     // whether List includes them or not
	Reasons  []Count // of Letters, the most frequent first
}

// Count counts the letters of one reason.
type Count struct {
	Reason         eval.Reason
	Letters        int
	Oldest, Newest time.Time // of their deaths
}

// maxReasons bounds the reasons that are counted separately. Workers write about 20,
// but a letter may hold any text.
const maxReasons = 100

// List calls each with the chosen letters, in the order of partition and offset, at
// most f.Limit of them; those that were redriven only if redriven is set. The summary
// counts beyond that limit. The error is ErrEmpty if there is no topic yet.
func (q *Queue) List(ctx context.Context, f Filter, redriven bool, progress func(done, total int64), each func(*Letter) error) (Summary, error) {
	var sum Summary
	r, err := q.open(ctx, f, progress)
	if err != nil {
		return sum, err
	}
	if len(r.missing) > 0 {
		return sum, q.notFound(ctx, r.missing[0])
	}
	listed := 0
	counts := make(map[eval.Reason]*Count)
	for i := range r.parts {
		err := r.letters(ctx, &r.parts[i], func(l *Letter) error {
			if !f.matches(l) {
				return nil
			}
			if l.Redriven {
				sum.Redriven++
			}
			if l.Redriven && !redriven {
				return nil
			}
			sum.Letters++
			tally(counts, l)
			if f.Limit > 0 && listed == f.Limit {
				return nil
			}
			listed++
			return each(l)
		})
		if err != nil && !errors.Is(err, errStop) {
			return sum, err
		}
	}
	for _, c := range slices.SortedFunc(maps.Values(counts), func(a, b *Count) int {
		return cmp.Or(-cmp.Compare(a.Letters, b.Letters), cmp.Compare(a.Reason, b.Reason))
	}) {
		sum.Reasons = append(sum.Reasons, *c)
	}
	return sum, nil
}

func tally(counts map[eval.Reason]*Count, l *Letter) {
	reason := l.Reason
	c := counts[reason]
	if c == nil && len(counts) >= maxReasons {
		reason = "other"
		c = counts[reason]
	}
	if c == nil {
		c = &Count{Reason: reason, Oldest: l.Time, Newest: l.Time}
		counts[reason] = c
	}
	c.Letters++
	if l.Time.Before(c.Oldest) {
		c.Oldest = l.Time
	}
	if l.Time.After(c.Newest) {
		c.Newest = l.Time
	}
}

// ErrNotFound says that no letter has the id.
var ErrNotFound = errors.New("no such letter")

// Letter returns one letter, including its content.
func (q *Queue) Letter(ctx context.Context, id ID) (*Letter, error) {
	r, err := q.open(ctx, Filter{IDs: []ID{id}}, nil)
	if err != nil {
		return nil, err
	}
	if len(r.missing) > 0 {
		return nil, q.notFound(ctx, id)
	}
	var out *Letter
	if err := r.letters(ctx, &r.parts[0], func(l *Letter) error { out = l; return nil }); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, fmt.Errorf("%w %v: that offset holds a mark of a redrive, or nothing any more", ErrNotFound, id)
	}
	return out, nil
}

// notFound returns the error for a missing letter, with the ids that exist.
func (q *Queue) notFound(ctx context.Context, id ID) error {
	spans, err := q.spans(ctx)
	if err != nil {
		return err
	}
	for _, s := range spans {
		switch {
		case s.partition != id.Partition:
		case s.from >= s.to:
			return fmt.Errorf("%w %v: partition %d of %s is empty", ErrNotFound, id, s.partition, q.Topic())
		default:
			return fmt.Errorf("%w %v: partition %d of %s holds the offsets %d to %d", ErrNotFound, id, s.partition, q.Topic(), s.from, s.to-1)
		}
	}
	return fmt.Errorf("%w %v: %s has the partitions 0 to %d", ErrNotFound, id, q.Topic(), len(spans)-1)
}
