package datasets

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/evalworker/evalworker/eval"
)

// Archive takes failing reports into a store. It is safe for concurrent use.
type Archive struct {
	store    *Store
	redactor *Redactor
	cfg      Config
}

// NewArchive makes an archive. The redactor is for what judges say; content
// comes redacted.
func NewArchive(store *Store, redactor *Redactor, cfg Config) *Archive {
	return &Archive{store: store, redactor: redactor, cfg: cfg}
}

// Offer records the failing verdicts of a report, and gives how many of them
// were new. It returns once they are on disk, or after the configured timeout.
// A nil redacted event means that the content is withheld. Every error means
// that the store is down; Offer may be called again with the same report.
func (a *Archive) Offer(ctx context.Context, r *eval.Report, redacted *eval.Event) (int, error) {
	var records []record
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Outcome == eval.OutcomeFail {
			rec, err := a.record(r, v, redacted)
			if err != nil {
				return 0, err
			}
			records = append(records, rec)
		}
	}
	if len(records) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	var fresh int // written by the store's writer before submit returns nil
	err := a.store.submit(ctx, func(ctx context.Context, tx *transaction) error {
		fresh = 0
		for _, rec := range records {
			isNew, err := rec.insert(ctx, tx, a.cfg.MaxExemplars)
			if err != nil {
				return fmt.Errorf("store case %s: %w", rec.id, err)
			}
			if isNew {
				fresh++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("store request %s: %w", r.Event.RequestID, err)
	}
	return fresh, nil
}

// record is one occurrence on its way to the store.
type record struct {
	id        string // of the case
	event     *eval.Event
	verdict   *eval.Verdict
	seen      int64
	body      []byte // exemplar as JSON
	requestID string
}

func (a *Archive) record(r *eval.Report, v *eval.Verdict, redacted *eval.Event) (record, error) {
	x := exemplar(r, v, redacted, a.redactor.Text)
	body, err := json.Marshal(x)
	if err != nil {
		return record{}, fmt.Errorf("encode request %s: %w", r.Event.RequestID, err)
	}
	return record{
		id: signature(v, redacted), event: r.Event, verdict: v, seen: x.OccurredAt.UnixMilli(),
		body: body, requestID: string(r.Event.RequestID),
	}, nil
}

// insert writes the record, and reports whether it is new.
func (rec record) insert(ctx context.Context, tx *transaction, maxExemplars int) (bool, error) {
	e, v := rec.event, rec.verdict
	known, err := tx.any(ctx, `SELECT 1 FROM occurrences WHERE request_id = $1 AND evaluator = $2`, rec.requestID, v.Eval)
	if err != nil || known {
		return false, err
	}
	_, err = tx.exec(ctx, `
		INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $10, 1)
		ON CONFLICT (id) DO UPDATE SET
			count = cases.count + 1,
			feature = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.feature ELSE cases.feature END,
			prompt_name = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.prompt_name ELSE cases.prompt_name END,
			first_version = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.first_version ELSE cases.first_version END,
			last_version = CASE WHEN excluded.last_seen >= cases.last_seen THEN excluded.last_version ELSE cases.last_version END,
			first_seen = CASE WHEN excluded.first_seen < cases.first_seen THEN excluded.first_seen ELSE cases.first_seen END,
			last_seen = CASE WHEN excluded.last_seen > cases.last_seen THEN excluded.last_seen ELSE cases.last_seen END`,
		rec.id, v.Eval, string(v.Type), v.Reason, v.Label, e.Feature, e.PromptName, e.PromptVersion, string(StatusCandidate), rec.seen)
	if err != nil {
		return false, err
	}
	_, err = tx.exec(ctx, `INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen) VALUES ($1, $2, $3, $4, $5)`,
		rec.requestID, v.Eval, rec.id, e.PromptVersion, rec.seen)
	if err != nil {
		return false, err
	}
	return true, rec.insertExemplar(ctx, tx, maxExemplars)
}

// insertExemplar keeps the first request of a case, which shows how it began,
// and the latest ones, which show what it is now.
func (rec record) insertExemplar(ctx context.Context, tx *transaction, maxExemplars int) error {
	_, err := tx.exec(ctx, `INSERT INTO exemplars (case_id, request_id, seen, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		rec.id, rec.requestID, rec.seen, string(rec.body))
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		DELETE FROM exemplars WHERE case_id = $1
			AND request_id NOT IN (SELECT request_id FROM exemplars WHERE case_id = $1 ORDER BY seen, request_id LIMIT 1)
			AND request_id NOT IN (SELECT request_id FROM exemplars WHERE case_id = $1 ORDER BY seen DESC, request_id DESC LIMIT $2)`,
		rec.id, max(maxExemplars-1, 0))
	return err
}
