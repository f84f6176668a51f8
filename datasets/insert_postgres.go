package datasets

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
)

// insert writes all records with four statements, because each is a way to the
// server and back. Workers do the same at the same moment, often for the same
// case: rows are locked in one order, first those of occurrences and then those
// of cases, each by its key, so that workers wait for each other and never in a
// circle.
func (p *postgres) insert(ctx context.Context, tx *sql.Tx, records []record, maxExemplars int) ([]bool, error) {
	fresh, err := insertOccurrences(ctx, tx, records)
	if err != nil {
		return nil, err
	}
	var news []record
	for i, rec := range records {
		if fresh[i] {
			news = append(news, rec)
		}
	}
	if len(news) == 0 {
		return fresh, nil
	}
	cases := group(news)
	if err := upsertCases(ctx, tx, cases); err != nil {
		return nil, err
	}
	return fresh, insertExemplars(ctx, tx, cases, maxExemplars)
}

// occurrence is what makes a record one.
type occurrence struct{ requestID, evaluator string }

// insertOccurrences reports which records nobody has written before. One that
// another worker is about to write is waited for.
func insertOccurrences(ctx context.Context, tx *sql.Tx, records []record) (_ []bool, err error) {
	first := map[occurrence]int{} // of those that are there twice, the first counts
	for i, rec := range records {
		if o := (occurrence{rec.requestID, rec.evaluator}); first[o] == 0 {
			first[o] = i + 1
		}
	}
	var requests, evaluators, ids, versions, features []string
	var seen []int64
	for _, i := range first {
		rec := records[i-1]
		requests, evaluators, ids = append(requests, rec.requestID), append(evaluators, rec.evaluator), append(ids, rec.id)
		versions, features, seen = append(versions, rec.version), append(features, rec.in), append(seen, rec.seen)
	}
	rows, err := tx.QueryContext(ctx, `
		INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, feature, seen)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS t (r, e, c, v, f, s)
		ORDER BY r COLLATE "C", e COLLATE "C"
		ON CONFLICT DO NOTHING RETURNING request_id, evaluator`, requests, evaluators, ids, versions, features, seen)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	fresh := make([]bool, len(records))
	for rows.Next() {
		var o occurrence
		if err := rows.Scan(&o.requestID, &o.evaluator); err != nil {
			return nil, err
		}
		fresh[first[o]-1] = true
	}
	return fresh, rows.Err()
}

// gathered are the new records of one case, in the order in which they came.
type gathered []record

// group gives the cases of records.
func group(records []record) []gathered {
	at := map[string]int{}
	var out []gathered
	for _, rec := range records {
		i, ok := at[rec.id]
		if !ok {
			i = len(out)
			at[rec.id] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], rec)
	}
	return out
}

// ends gives the record that was seen first, and the one that was seen last. Of
// equals the one that came first begins a case, and the one that came last ends it.
func (g gathered) ends() (first, last record) {
	first, last = g[0], g[0]
	for _, rec := range g[1:] {
		if rec.seen < first.seen {
			first = rec
		}
		if rec.seen >= last.seen {
			last = rec
		}
	}
	return first, last
}

// exemplars gives the records that may stay as exemplars: whatever else the case
// has, the others are neither its first nor among its latest.
func (g gathered) exemplars(most int) []record {
	sorted := slices.SortedFunc(slices.Values(g), func(a, b record) int {
		return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.requestID, b.requestID))
	})
	if len(sorted) <= most {
		return sorted
	}
	return append(sorted[:1:1], sorted[len(sorted)-most+1:]...)
}

// upsertCases makes cases or adds to them. It holds their rows until the end of
// the transaction, and with them their exemplars.
func upsertCases(ctx context.Context, tx *sql.Tx, cases []gathered) error {
	columns := make([][]string, 9)
	var since, until, count []int64
	for _, c := range cases {
		first, last := c.ends()
		for i, v := range []string{
			first.id, first.evaluator, first.kind, first.reason, first.label,
			first.feature, first.promptName, first.promptVersion, last.promptVersion,
		} {
			columns[i] = append(columns[i], v)
		}
		since, until, count = append(since, first.seen), append(until, last.seen), append(count, int64(len(c)))
	}
	var args []any
	for _, c := range columns {
		args = append(args, c)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, first_seen, last_seen, count, status)
		SELECT *, $13::text FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::bigint[], $11::bigint[], $12::bigint[]) AS t (id)
		ORDER BY id COLLATE "C"`+meet, append(args, since, until, count, string(StatusCandidate))...)
	return err
}

// insertExemplars keeps the first request of a case, which shows how it began,
// and the latest ones, which show what it is now.
func insertExemplars(ctx context.Context, tx *sql.Tx, cases []gathered, most int) error {
	var touched, ids, requests, bodies []string
	var seen []int64
	for _, c := range cases {
		touched = append(touched, c[0].id)
		for _, rec := range c.exemplars(most) {
			ids, requests, bodies, seen = append(ids, rec.id), append(requests, rec.requestID), append(bodies, rec.body), append(seen, rec.seen)
		}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO exemplars (case_id, request_id, seen, body)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) ON CONFLICT DO NOTHING`, ids, requests, seen, bodies)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM exemplars x USING (
			SELECT case_id, request_id,
				row_number() OVER (PARTITION BY case_id ORDER BY seen, request_id) AS age,
				row_number() OVER (PARTITION BY case_id ORDER BY seen DESC, request_id DESC) AS youth
			FROM exemplars WHERE case_id = ANY ($1::text[])) AS ranked
		WHERE x.case_id = ranked.case_id AND x.request_id = ranked.request_id AND ranked.age > 1 AND ranked.youth > $2`,
		touched, most-1)
	return err
}
