package datasets

import (
	"context"

	"github.com/evalworker/evalworker/store"
)

// insertEach writes one record after the other and reports which were new. In SQLite
// a statement costs microseconds, and there is no concurrent writer.
func insertEach(ctx context.Context, tx *store.Tx, records []record, maxExemplars int) ([]bool, error) {
	isNew := make([]bool, len(records))
	for i, rec := range records {
		var err error
		if isNew[i], err = insertOne(ctx, tx, rec, maxExemplars); err != nil {
			return nil, err
		}
	}
	return isNew, nil
}

func insertOne(ctx context.Context, tx *store.Tx, rec record, maxExemplars int) (isNew bool, err error) {
	known, err := store.Query(ctx, tx, scanInt, `SELECT 1 FROM occurrences WHERE request_id = $1 AND evaluator = $2`, rec.requestID, rec.evaluator)
	if err != nil || len(known) > 0 {
		return false, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $10, 1)`+updateKnownCase,
		rec.id, rec.evaluator, rec.kind, rec.reason, rec.label, rec.feature, rec.promptName, rec.promptVersion, string(StatusCandidate), rec.seen)
	if err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, feature, seen) VALUES ($1, $2, $3, $4, $5, $6)`,
		rec.requestID, rec.evaluator, rec.id, rec.versionKey, rec.featureKey, rec.seen)
	if err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO exemplars (case_id, request_id, seen, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		rec.id, rec.requestID, rec.seen, rec.body)
	if err != nil {
		return false, err
	}
	// The first request shows how the case began, the latest ones its present form.
	_, err = tx.Exec(ctx, `
		DELETE FROM exemplars WHERE case_id = $1
			AND request_id NOT IN (SELECT request_id FROM exemplars WHERE case_id = $1 ORDER BY seen, request_id LIMIT 1)
			AND request_id NOT IN (SELECT request_id FROM exemplars WHERE case_id = $1 ORDER BY seen DESC, request_id DESC LIMIT $2)`,
		rec.id, maxExemplars-1)
	return err == nil, err
}

func scanInt(row store.Row) (n int, err error) {
	err = row.Scan(&n)
	return n, err
}

// updateKnownCase updates a case that already exists, in both databases.
const updateKnownCase = `
	ON CONFLICT (id) DO UPDATE SET
		count = cases.count + excluded.count,
		feature = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.feature ELSE cases.feature END,
		prompt_name = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.prompt_name ELSE cases.prompt_name END,
		first_version = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.first_version ELSE cases.first_version END,
		last_version = CASE WHEN excluded.last_seen >= cases.last_seen THEN excluded.last_version ELSE cases.last_version END,
		first_seen = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.first_seen ELSE cases.first_seen END,
		last_seen = CASE WHEN excluded.last_seen > cases.last_seen THEN excluded.last_seen ELSE cases.last_seen END`
