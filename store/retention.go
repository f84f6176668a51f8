package store

import (
	"context"
	"fmt"
	"time"
)

// table says how long the rows of a table are kept.
type table struct {
	name string
	key  string // columns of the primary key
	age  string // column by which Prune deletes, in milliseconds since 1970; "": kept
}

// retention has a row for each table of the migrations. What refers to another
// table stands above it.
func retention() []table {
	return []table{
		{"exemplars", "case_id, request_id", "seen"},
		{"occurrences", "request_id, evaluator", "seen"},
		{"cases", "id", "last_seen"},
	}
}

// pruneStep bounds the rows that one transaction deletes, so that a change that waits
// meanwhile waits for milliseconds.
const pruneStep = 2000

// Prune deletes what is older than a time: requests that were kept as exemplars,
// even the first of a case that goes on; occurrences, which are counted again
// if they come once more; and cases that were not seen since. The count of a case
// that stays does not change. It returns the number of rows deleted from each table.
// After an error it may be called again.
func (s *Store) Prune(ctx context.Context, before time.Time) (map[string]int, error) {
	deleted := map[string]int{}
	for _, t := range retention() {
		if t.age == "" {
			continue
		}
		// The age is tested twice: a row that another worker has just renewed is locked,
		// and no longer old when the lock is released.
		query := fmt.Sprintf("DELETE FROM %[1]s WHERE %[3]s < $1 AND (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < $1 LIMIT %[4]d)", t.name, t.key, t.age, pruneStep)
		for n := int64(pruneStep); n == pruneStep; {
			err := s.Write(ctx, func(ctx context.Context, tx *Tx) (err error) {
				n, err = tx.Exec(ctx, query, before.UnixMilli())
				return err
			})
			if err != nil {
				return deleted, fmt.Errorf("prune %s: %w", t.name, err)
			}
			deleted[t.name] += int(n)
		}
	}
	return deleted, nil
}
