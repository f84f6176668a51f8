package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/store"
)

// slowly makes a change that takes some time.
func slowly(d time.Duration, change func(context.Context, *store.Tx) error) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		if !backoff.Wait(ctx, d) {
			return ctx.Err()
		}
		return change(ctx, tx)
	}
}

// TestWriteReportsWhatIsWritten: a change that waited for its turn still has the
// whole timeout for its write, and its caller learns that it was made.
func TestWriteReportsWhatIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, config(":memory:"))
		first := make(chan error, 1)
		go func() { first <- s.Write(t.Context(), slowly(9*time.Second, insert("a"))) }()
		synctest.Wait()
		began := time.Now()
		if err := errors.Join(s.Write(t.Context(), slowly(9*time.Second, insert("b"))), <-first); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 18*time.Second || ids(t, s) != "a b" {
			t.Errorf("took %s: %s", took, ids(t, s))
		}
	})
}

// TestWriteEnds: a write that takes too long is rolled back and then reported; one
// that hangs is abandoned.
func TestWriteEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, config(":memory:"))
		began := time.Now()
		late := func(after time.Duration, err error) {
			t.Helper()
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "store.timeout") || took != after {
				t.Errorf("after %s: %v", took, err)
			}
		}
		late(10*time.Second, s.Write(t.Context(), slowly(time.Minute, insert("a"))))
		if got := ids(t, s); got != "" {
			t.Errorf("not undone: %s", got)
		}
		if err := s.Write(t.Context(), insert("a")); err != nil {
			t.Errorf("once more: %v", err)
		}
		hangs := make(chan struct{})
		began = time.Now()
		late(20*time.Second, s.Write(t.Context(), func(context.Context, *store.Tx) error {
			<-hangs
			return nil
		}))
		close(hangs)
	})
}

// TestWriteEndsWithItsCaller: a caller that is cancelled does not wait for a write
// that has begun, which goes on.
func TestWriteEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, config(":memory:"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if err := s.Write(ctx, slowly(9*time.Second, insert("a"))); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if err := s.Write(t.Context(), insert("b")); err != nil || ids(t, s) != "a b" {
			t.Errorf("%s, %v", ids(t, s), err)
		}
	})
}

// TestGroup: changes that wait together share a transaction, and those of a batch
// one call, in order of arrival; one that fails does not make the others fail.
func TestGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, config(":memory:"))
		var calls [][]string
		batch := store.NewBatch(s, func(id string) int { return len(id) }, func(ctx context.Context, tx *store.Tx, ids []string) error {
			calls = append(calls, slices.Clone(ids))
			for _, id := range ids {
				if err := insert(id)(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		})
		together := func(writes ...func() error) []error {
			free := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() { // keeps the writer busy
				if err := s.Write(t.Context(), func(context.Context, *store.Tx) error { <-free; return nil }); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			errs := make([]error, len(writes))
			for i, write := range writes {
				wg.Go(func() { errs[i] = write() })
				synctest.Wait()
			}
			close(free)
			wg.Wait()
			return errs
		}
		inBatch := func(id string) func() error { return func() error { return batch.Write(t.Context(), id) } }
		alone := func(id string) func() error { return func() error { return s.Write(t.Context(), insert(id)) } }

		if errs := together(inBatch("a"), alone("x"), inBatch("b")); errors.Join(errs...) != nil {
			t.Error(errs)
		}
		if got := fmt.Sprint(calls); got != "[[a b]]" || ids(t, s) != "a b x" {
			t.Errorf("calls %s, rows %s", got, ids(t, s))
		}
		calls = nil
		errs := together(inBatch("c"), inBatch("a"), alone("x"), inBatch("d"), alone("y"))
		for i, wrong := range []bool{false, true, true, false, false} {
			if (errs[i] != nil) != wrong {
				t.Errorf("change %d: %v", i, errs[i])
			}
		}
		if got := fmt.Sprint(calls); got != "[[c a d] [c] [a] [d]]" || ids(t, s) != "a b c d x y" {
			t.Errorf("calls %s, rows %s", got, ids(t, s))
		}
	})
}

// TestWhyNothingIsWritten holds SQLite's only write lock. Callers that wait for the
// writer while the writer waits for the lock time out first, and their errors still
// say why; later errors do not mention a fault that is over.
func TestWhyNothingIsWritten(t *testing.T) {
	t.Parallel()
	const why = "another process writes"
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	cfg.Timeout = 500 * time.Millisecond
	s := open(t, cfg)
	write := func(n int) error { return s.Write(t.Context(), insert(fmt.Sprint(n))) }
	tx, err := rawFile(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `DELETE FROM cases`); err != nil { // takes the lock
		t.Fatal(err)
	}
	// On a busy machine the timeout may come before SQLite reports "busy".
	for try := 0; err == nil || !strings.Contains(err.Error(), why); try++ {
		if err = write(1); err == nil || try == 20 {
			t.Fatalf("write = %v, want %q", err, why)
		}
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if err := write(n); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("write = %v, want %q", err, why)
			}
		})
	}
	all.Wait()

	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for try := 0; err != nil || try == 0; try++ {
		if err = write(100 + try); err != nil && try == 20 {
			t.Fatalf("the lock is free: %v", err)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := s.Write(late, insert("late")); err != nil && strings.Contains(err.Error(), why) {
		t.Errorf("told about a fault that is over: %v", err)
	}
}
