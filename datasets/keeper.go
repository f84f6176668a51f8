package datasets

import (
	"context"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/store"
)

// Keeper keeps failing reports as cases. It is safe for concurrent use.
type Keeper struct {
	batch        *store.Batch[*addition]
	redactor     *redact.Redactor
	maxExemplars int
}

// NewKeeper returns a keeper for a store. The redactor is only for the judges'
// texts, because callers redact content. maxExemplars bounds the requests that are
// kept of one case.
func NewKeeper(s *store.Store, redactor *redact.Redactor, maxExemplars int) *Keeper {
	k := &Keeper{redactor: redactor, maxExemplars: maxExemplars}
	k.batch = store.NewBatch(s, (*addition).size, k.insert)
	return k
}

// Offer records the failing verdicts of a report, and returns how many of them
// were new. It returns once they are on disk, or with an error after the store's
// timeout. A nil redacted event means that the content is withheld. Every error
// means that the store is down, and says the same for whatever report, because it is
// shown as the state of the store; Offer may be called again with the same report. If
// ctx ends first, the verdicts may still be written.
func (k *Keeper) Offer(ctx context.Context, r *eval.Report, redacted *event.Event) (int, error) {
	records, err := k.records(r, redacted)
	if err != nil || len(records) == 0 {
		return 0, err
	}
	a := &addition{records: records}
	if lacksRequest(r, redacted) {
		a.report, a.redacted = r, redacted
	}
	if err := k.batch.Write(ctx, a); err != nil {
		return 0, fmt.Errorf("store a case: %w", err)
	}
	return a.added, nil
}

// records returns the records of a report's failing verdicts.
func (k *Keeper) records(r *eval.Report, redacted *event.Event) (out []record, err error) {
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Outcome == eval.OutcomeFail {
			rec, err := newRecord(r, v, redacted, k.redactor.Text)
			if err != nil {
				return nil, err
			}
			out = append(out, rec)
		}
	}
	return out, nil
}

// addition holds the records that one report adds to the store.
type addition struct {
	records []record
	// report and redacted are of feedback that lacks what the store may know of its
	// request; else nil.
	report   *eval.Report
	redacted *event.Event
	added    int // records that were new; set by the store's writer before Write returns nil
}

func (a *addition) size() int {
	n := 0
	for _, rec := range a.records {
		n += len(rec.body)
	}
	return n
}

// insert writes the records of several reports in one transaction.
func (k *Keeper) insert(ctx context.Context, tx *store.Tx, additions []*addition) error {
	var records []record
	for _, a := range additions {
		added := a.records
		if a.report != nil {
			var err error
			if added, err = k.completed(ctx, tx, a); err != nil {
				return fmt.Errorf("request of feedback: %w", err)
			}
		}
		records = append(records, added...)
	}
	if err := continueFormer(ctx, tx, records); err != nil {
		return fmt.Errorf("look for cases of earlier builds: %w", err)
	}
	insert := insertEach
	if tx.Dialect() == store.PostgreSQL {
		insert = insertTogether
	}
	isNew, err := insert(ctx, tx, records, k.maxExemplars)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	for _, a := range additions {
		a.added = 0
		for range a.records {
			if isNew[0] {
				a.added++
			}
			isNew = isNew[1:]
		}
	}
	return nil
}
