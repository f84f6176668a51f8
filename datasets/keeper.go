package datasets

import (
	"context"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

// Archive takes failing reports into a store. It is safe for concurrent use.
type Archive struct {
	store    *Store
	redactor *redact.Redactor
	cfg      Config
}

// NewArchive makes an archive. The redactor is for what judges say; content
// comes redacted.
func NewArchive(store *Store, redactor *redact.Redactor, cfg Config) *Archive {
	return &Archive{store: store, redactor: redactor, cfg: cfg}
}

// Offer records the failing verdicts of a report, and gives how many of them
// were new. It returns once they are on disk, or when the configured timeout is
// over: it bounds the wait for reports that came before, and then the write. A nil
// redacted event means that the content is withheld. Every error means that the
// store is down; Offer may be called again with the same report. When ctx ends
// first they may be written all the same.
func (a *Archive) Offer(ctx context.Context, r *eval.Report, redacted *event.Event) (int, error) {
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
	var fresh int // written by the store's writer before write returns nil
	err := a.write(ctx, write{records: records, fresh: &fresh})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not written within store.timeout (%s): %w", a.cfg.Timeout, err)
	}
	if err != nil {
		return 0, fmt.Errorf("store request %s: %w", r.Event.RequestID, err)
	}
	return fresh, nil
}

// write bounds both waits of a change.
func (a *Archive) write(ctx context.Context, w write) error {
	queued, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	done, err := a.store.hand(queued, w)
	if err != nil {
		return err
	}
	// The writer ends the write when its time is up, and tells. Whoever left at that
	// moment would not know of one that happened, and count it as old the next time.
	// Twice that is for a disk that hangs, and the writer with it.
	written, cancel := context.WithTimeout(ctx, 2*a.cfg.Timeout)
	defer cancel()
	return a.store.await(written, done)
}
