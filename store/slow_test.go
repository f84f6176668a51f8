package datasets

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

// slow is a database that takes its time, of which it is told with each write.
type slow struct {
	engine
	takes chan time.Duration
	hangs chan struct{} // not nil: waits for it, whatever the time
}

func (s *slow) insert(ctx context.Context, tx *sql.Tx, records []record, maxExemplars int) ([]bool, error) {
	if s.hangs != nil {
		<-s.hangs
	}
	pause(ctx, <-s.takes)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.engine.insert(ctx, tx, records, maxExemplars)
}

// onSlow gives a store that takes so long for each of its writes, and may for ten
// seconds.
func onSlow(t *testing.T, takes ...time.Duration) (*slow, func(ctx context.Context, id event.RequestID) (int, error)) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.URL, cfg.Timeout = sqliteScheme+memory, 10*time.Second
	s, err := OpenLater(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := &slow{engine: s.engine, takes: make(chan time.Duration, len(takes))}
	for _, d := range takes {
		db.takes <- d
	}
	s.engine = db
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	redactor, err := redact.New(redact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a := NewArchive(s, redactor, cfg)
	return db, func(ctx context.Context, id event.RequestID) (int, error) {
		r := &eval.Report{Event: &event.Event{RequestID: id}, Verdicts: []eval.Verdict{{Eval: "e", Outcome: eval.OutcomeFail}}}
		return a.Offer(ctx, r, r.Event)
	}
}

// TestOfferTellsOfWhatIsWritten: a report that waited for its turn has all of the
// time for its write, and is told of it: nobody counts it when it comes again.
func TestOfferTellsOfWhatIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, offer := onSlow(t, 9*time.Second, 9*time.Second)
		first := make(chan int, 1)
		go func() {
			n, err := offer(t.Context(), "first")
			if err != nil {
				t.Error(err)
			}
			first <- n
		}()
		synctest.Wait()
		began := time.Now()
		n, err := offer(t.Context(), "second")
		if err != nil || n != 1 || <-first != 1 {
			t.Errorf("%d new, %v", n, err)
		}
		if took := time.Since(began); took != 18*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// TestOfferEnds: a write that takes too long is undone, and told of when it is; one
// that hangs is left to itself.
func TestOfferEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, offer := onSlow(t, time.Minute, 0, 0)
		began := time.Now()
		late := func(after time.Duration, err error) {
			t.Helper()
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "store.timeout") || took != after {
				t.Errorf("after %s: %v", took, err)
			}
		}
		_, err := offer(t.Context(), "r")
		late(10*time.Second, err)
		if n, err := offer(t.Context(), "r"); err != nil || n != 1 {
			t.Errorf("once more: %d new, %v", n, err)
		}
		db.hangs = make(chan struct{})
		began = time.Now()
		_, err = offer(t.Context(), "s")
		late(20*time.Second, err)
		close(db.hangs)
	})
}

// TestOfferEndsWithItsCaller: who has to go does not wait for a write that has begun.
func TestOfferEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, offer := onSlow(t, 9*time.Second, 0)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if _, err := offer(ctx, "r"); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if n, err := offer(t.Context(), "r"); err != nil || n != 0 {
			t.Errorf("what had begun was written, and %d are new, %v", n, err)
		}
	})
}
