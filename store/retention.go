package datasets

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// pruneStep bounds the rows that one transaction deletes, so that a failing
// request which has to be kept meanwhile waits for milliseconds.
const pruneStep = 2000

// Prune deletes what is older than a time: requests that were kept as exemplars,
// even the first of a case that goes on; occurrences, which are counted again
// if they come once more; and cases that were not seen since. The count of a case
// that stays does not change. It gives the number of cases deleted. After an
// error it may be called again.
func (s *Store) Prune(ctx context.Context, before time.Time) (int, error) {
	cases := 0
	for _, t := range []struct{ table, key, age string }{
		{"exemplars", "case_id, request_id", "seen"},
		{"occurrences", "request_id, evaluator", "seen"},
		{"cases", "id", "last_seen"},
	} {
		// The age is asked for twice: a case that another worker sees again just now is
		// locked, and no longer old when its turn comes.
		query := fmt.Sprintf("DELETE FROM %[1]s WHERE %[3]s < $1 AND (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < $1 LIMIT %[4]d)", t.table, t.key, t.age, pruneStep)
		for n := int64(pruneStep); n == pruneStep; {
			err := s.submit(ctx, write{change: func(ctx context.Context, tx *sql.Tx) error {
				res, err := tx.ExecContext(ctx, query, before.UnixMilli())
				if err != nil {
					return err
				}
				n, err = res.RowsAffected()
				return err
			}})
			if err != nil {
				return cases, fmt.Errorf("prune %s: %w", t.table, err)
			}
			if t.table == "cases" {
				cases += int(n)
			}
		}
	}
	return cases, nil
}
