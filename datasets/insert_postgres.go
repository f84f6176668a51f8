package datasets

import (
	"cmp"
	"context"
	"slices"

	"github.com/evalworker/evalworker/store"
)

// insertTogether writes all records with four statements, because each is a round
// trip to the server, and reports which records were new. Other workers may do the
// same at the same time, often for the same case: rows are locked in one order, first
// occurrences and then cases, each by its key, so that workers cannot deadlock.
func insertTogether(ctx context.Context, tx *store.Tx, records []record, maxExemplars int) ([]bool, error) {
	isNew, err := insertOccurrences(ctx, tx, records)
	if err != nil {
		return nil, err
	}
	var added []record
	for i, rec := range records {
		if isNew[i] {
			added = append(added, rec)
		}
	}
	if len(added) == 0 {
		return isNew, nil
	}
	groups := groupByCase(added)
	if err := upsertCases(ctx, tx, groups); err != nil {
		return nil, err
	}
	return isNew, insertExemplars(ctx, tx, groups, maxExemplars)
}

// occurrence is the key of a record.
type occurrence struct{ requestID, evaluator string }

// insertOccurrences writes the records' keys and reports which are new. It waits
// for a transaction of another worker that has written the same key.
func insertOccurrences(ctx context.Context, tx *store.Tx, records []record) ([]bool, error) {
	first := map[occurrence]int{} // index of the first record with each key, which counts
	for i, rec := range records {
		o := occurrence{rec.requestID, rec.evaluator}
		if _, ok := first[o]; !ok {
			first[o] = i
		}
	}
	var requests, evaluators, ids, versions, features []string
	var seen []int64
	for _, i := range first {
		rec := records[i]
		requests, evaluators, ids = append(requests, rec.requestID), append(evaluators, rec.evaluator), append(ids, rec.id)
		versions, features, seen = append(versions, rec.versionKey), append(features, rec.featureKey), append(seen, rec.seen)
	}
	inserted, err := store.Query(ctx, tx, scanOccurrence, `
		INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, feature, seen)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS t (r, e, c, v, f, s)
		ORDER BY r COLLATE "C", e COLLATE "C"
		ON CONFLICT DO NOTHING RETURNING request_id, evaluator`, requests, evaluators, ids, versions, features, seen)
	if err != nil {
		return nil, err
	}
	isNew := make([]bool, len(records))
	for _, o := range inserted {
		isNew[first[o]] = true
	}
	return isNew, nil
}

func scanOccurrence(row store.Row) (o occurrence, err error) {
	err = row.Scan(&o.requestID, &o.evaluator)
	return o, err
}

// caseRecords are the new records of one case, in order of arrival.
type caseRecords []record

func groupByCase(records []record) []caseRecords {
	index := map[string]int{} // by case id
	var out []caseRecords
	for _, rec := range records {
		i, ok := index[rec.id]
		if !ok {
			i = len(out)
			index[rec.id] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], rec)
	}
	return out
}

// ends returns the records that were seen first and last. Among records with the
// same time, the order of arrival decides.
func (g caseRecords) ends() (first, last record) {
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

// exemplars returns the records that may stay as exemplars. The others can be
// neither the first of the case nor among its latest.
func (g caseRecords) exemplars(most int) []record {
	sorted := slices.SortedFunc(slices.Values(g), func(a, b record) int {
		return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.requestID, b.requestID))
	})
	if len(sorted) <= most {
		return sorted
	}
	return append(sorted[:1:1], sorted[len(sorted)-most+1:]...)
}

// upsertCases creates cases or adds to them. It locks their rows, and with them
// their exemplars, until the end of the transaction.
func upsertCases(ctx context.Context, tx *store.Tx, groups []caseRecords) error {
	columns := make([][]string, 9)
	var since, until, count []int64
	for _, g := range groups {
		first, last := g.ends()
		for i, v := range []string{
			first.id, first.evaluator, first.kind, first.reason, first.label,
			first.feature, first.promptName, first.promptVersion, last.promptVersion,
		} {
			columns[i] = append(columns[i], v)
		}
		since, until, count = append(since, first.seen), append(until, last.seen), append(count, int64(len(g)))
	}
	var args []any
	for _, c := range columns {
		args = append(args, c)
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, first_seen, last_seen, count, status)
		SELECT *, $13::text FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::bigint[], $11::bigint[], $12::bigint[]) AS t (id)
		ORDER BY id COLLATE "C"`+updateKnownCase, append(args, since, until, count, string(StatusCandidate))...)
	return err
}

// insertExemplars keeps the first request of a case, which shows how it began,
// and the latest ones, which show its present form.
func insertExemplars(ctx context.Context, tx *store.Tx, groups []caseRecords, most int) error {
	var touched, ids, requests, bodies []string
	var seen []int64
	for _, g := range groups {
		touched = append(touched, g[0].id)
		for _, rec := range g.exemplars(most) {
			ids, requests, bodies, seen = append(ids, rec.id), append(requests, rec.requestID), append(bodies, rec.body), append(seen, rec.seen)
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO exemplars (case_id, request_id, seen, body)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) ON CONFLICT DO NOTHING`, ids, requests, seen, bodies)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		DELETE FROM exemplars x USING (
			SELECT case_id, request_id,
				row_number() OVER (PARTITION BY case_id ORDER BY seen, request_id) AS age,
				row_number() OVER (PARTITION BY case_id ORDER BY seen DESC, request_id DESC) AS youth
			FROM exemplars WHERE case_id = ANY ($1::text[])) AS ranked
		WHERE x.case_id = ranked.case_id AND x.request_id = ranked.request_id AND ranked.age > 1 AND ranked.youth > $2`,
		touched, most-1)
	return err
}
