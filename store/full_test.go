package datasets

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

// TestDiskFull: without space a report is refused, in words, and nothing of it is
// there; with space again it is taken.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.db.SetMaxOpenConns(1) // the limit is a connection's
	limit := func(pages int) {
		t.Helper()
		if _, err := s.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // as many as there are
	r := &eval.Report{
		Event:    &event.Event{RequestID: "r", Output: event.Text(strings.Repeat("long ", 100_000))},
		Verdicts: []eval.Verdict{{Eval: "e", Outcome: eval.OutcomeFail, Reason: "x"}},
	}
	redactor, err := redact.New(redact.Config{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	a := NewArchive(s, redactor, cfg)
	if _, err := a.Offer(t.Context(), r, r.Event); err == nil || !strings.Contains(err.Error(), "no space is left") || eval.IsPermanent(err) {
		t.Errorf("on a full disk: %v", err)
	}
	if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{}) {
		t.Errorf("by half: %+v, %v", counts, err)
	}
	limit(1 << 20)
	if n, err := a.Offer(t.Context(), r, r.Event); err != nil || n != 1 {
		t.Errorf("with space again: %d, %v", n, err)
	}
}

// TestReadOnly: a file that may only be read is said so.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.db.SetMaxOpenConns(1)
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA query_only = 1"); err != nil { // also for root
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "may only be read") {
		t.Errorf("error %v", err)
	}
}
