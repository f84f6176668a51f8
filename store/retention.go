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
	age  string // column by which Prune deletes, in milliseconds since 1970; "": never
}

// retention has a row for each table of the migrations. A table that refers to
// another one precedes it.
func retention() []table {
	return []table{
		{"exemplars", "case_id, request_id", "seen"},
		{"occurrences", "request_id, evaluator", "seen"},
		{"cases", "id", "last_seen"},
	}
}

// pruneStep bounds the rows that one transaction deletes, so that it delays other
// changes by milliseconds only.
const pruneStep = 2000

// Prune deletes rows older than a time: exemplars, even the first of a case that
// still occurs; occurrences, which are counted again if they are offered again; and
// cases not seen since. The count of a remaining case does not change. It returns the
// number of rows deleted from each table. After an error it may be called again.
func (s *Store) Prune(ctx context.Context, before time.Time) (map[string]int, error) {
	deleted := map[string]int{}
	for _, t := range retention() {
		if t.age == "" {
			continue
		}
		// The age is tested twice: a row that another worker is just updating is
		// locked, and no longer old when the lock is released.
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
