package datasets

import (
	"context"
	"database/sql"
	"errors"
)

// insert writes one record after the other: a statement costs microseconds, and
// nobody else writes meanwhile.
func (f *sqliteFile) insert(ctx context.Context, tx *sql.Tx, records []record, maxExemplars int) ([]bool, error) {
	t := &statements{tx: tx, prepared: map[string]*sql.Stmt{}}
	fresh := make([]bool, len(records))
	for i, rec := range records {
		var err error
		if fresh[i], err = t.insert(ctx, rec, maxExemplars); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// statements are those of one transaction. Each is prepared once for all records,
// which is half of the work; it ends with the transaction.
type statements struct {
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
}

func (t *statements) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := t.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := t.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.prepared[query] = stmt
	return stmt, nil
}

func (t *statements) exec(ctx context.Context, query string, args ...any) error {
	stmt, err := t.statement(ctx, query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

// any reports whether a query has a row.
func (t *statements) any(ctx context.Context, query string, args ...any) (bool, error) {
	stmt, err := t.statement(ctx, query)
	if err != nil {
		return false, err
	}
	var one int
	err = stmt.QueryRowContext(ctx, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// insert writes the record, and reports whether it is new.
func (t *statements) insert(ctx context.Context, rec record, maxExemplars int) (bool, error) {
	known, err := t.any(ctx, `SELECT 1 FROM occurrences WHERE request_id = $1 AND evaluator = $2`, rec.requestID, rec.evaluator)
	if err != nil || known {
		return false, err
	}
	err = t.exec(ctx, `
		INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $10, 1)`+meet,
		rec.id, rec.evaluator, rec.kind, rec.reason, rec.label, rec.feature, rec.promptName, rec.promptVersion, string(StatusCandidate), rec.seen)
	if err != nil {
		return false, err
	}
	err = t.exec(ctx, `INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, feature, seen) VALUES ($1, $2, $3, $4, $5, $6)`,
		rec.requestID, rec.evaluator, rec.id, rec.version, rec.in, rec.seen)
	if err != nil {
		return false, err
	}
	return true, t.insertExemplar(ctx, rec, maxExemplars)
}

// meet is what becomes of a case that is there already, in both databases.
const meet = `
	ON CONFLICT (id) DO UPDATE SET
		count = cases.count + excluded.count,
		feature = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.feature ELSE cases.feature END,
		prompt_name = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.prompt_name ELSE cases.prompt_name END,
		first_version = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.first_version ELSE cases.first_version END,
		last_version = CASE WHEN excluded.last_seen >= cases.last_seen THEN excluded.last_version ELSE cases.last_version END,
		first_seen = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.first_seen ELSE cases.first_seen END,
		last_seen = CASE WHEN excluded.last_seen > cases.last_seen THEN excluded.last_seen ELSE cases.last_seen END`

// insertExemplar keeps the first request of a case, which shows how it began,
// and the latest ones, which show what it is now.
func (t *statements) insertExemplar(ctx context.Context, rec record, maxExemplars int) error {
	err := t.exec(ctx, `INSERT INTO exemplars (case_id, request_id, seen, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		rec.id, rec.requestID, rec.seen, rec.body)
	if err != nil {
		return err
	}
	return t.exec(ctx, `
		DELETE FROM exemplars WHERE case_id = $1
			AND request_id NOT IN (SELECT request_id FROM exemplars WHERE case_id = $1 ORDER BY seen, request_id LIMIT 1)
			AND request_id NOT IN (SELECT request_id FROM exemplars WHERE case_id = $1 ORDER BY seen DESC, request_id DESC LIMIT $2)`,
		rec.id, maxExemplars-1)
}
