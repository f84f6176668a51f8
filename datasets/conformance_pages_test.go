package datasets_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/store"
)

// pages: lists, rows and the cases of a long list come whole, once and in order, in pages
// of any size, while new failures change the order and cases are deleted.
func pages(t *testing.T, s suite) {
	t.Helper()
	const many = 170 // more than two pages
	s.fill(t, many)
	all, err := s.cases.List(t.Context(), datasets.Filter{})
	if err != nil || len(all) != many {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	var want []string
	for _, c := range all {
		want = append(want, c.ID)
	}

	var paged []string
	for offset := 0; offset < many+60; offset += 60 {
		page, err := s.cases.List(t.Context(), datasets.Filter{Limit: 60, Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			paged = append(paged, c.ID)
		}
	}
	if !slices.Equal(paged, want) {
		t.Errorf("%d cases on pages, or in another order", len(paged))
	}
	for _, f := range []datasets.Filter{{}, {Limit: 100}, {Offset: 150}, {Limit: 10, Offset: 155}, {Offset: many}} {
		var got []string
		err := s.cases.Each(t.Context(), f, func(page []datasets.Case) error {
			for _, c := range page {
				got = append(got, c.ID)
			}
			return nil
		})
		end := many
		if f.Limit > 0 {
			end = min(many, f.Offset+f.Limit)
		}
		if err != nil || !slices.Equal(got, want[f.Offset:end]) {
			t.Errorf("%+v: %d cases, %v", f, len(got), err)
		}
	}

	gone := want[many-1]
	read := 0
	var rows []string
	err = s.cases.WithProgress(func(n int) { read += n }).Rows(t.Context(), datasets.Filter{}, func(r datasets.Row) error {
		if len(rows) == 0 {
			s.change(t, `UPDATE cases SET count = 99 WHERE id = $1`, want[many-2]) // now it would be first
			s.change(t, `DELETE FROM cases WHERE id = $1`, gone)
		}
		rows = append(rows, r.CaseID)
		return nil
	})
	if err != nil || !slices.Equal(rows, want[:many-1]) || read != many {
		t.Errorf("%d rows, %d read, %v", len(rows), read, err)
	}

	groups, total, err := s.cases.Groups(t.Context(), datasets.ByVersion, datasets.Filter{Limit: 1, Offset: 1})
	if err != nil || total != 2 || len(groups) != 1 {
		t.Errorf("%+v of %d groups, %v", groups, total, err)
	}
	if groups, total, err = s.cases.Groups(t.Context(), datasets.ByCause, datasets.Filter{Limit: 1, Offset: 7}); err != nil || total != 1 || len(groups) != 0 {
		t.Errorf("%+v of %d groups, %v", groups, total, err)
	}
}

// fill writes so many cases, each with one exemplar, the first one the most frequent.
func (s suite) fill(t *testing.T, cases int) {
	t.Helper()
	for n := range cases {
		id := fmt.Sprintf("%04x", n*7919%cases)
		s.change(t, `INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count)
			VALUES ($1, 'e', 'rule', 'r', '', '', 'p', 'v1', 'v2', 'candidate', 1, 2, $2)`, id, cases-n)
		for _, version := range []string{"v1", "v2"} {
			s.change(t, `INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen) VALUES ($1, 'e', $2, $3, 1)`, id+version, id, version)
		}
		s.change(t, `INSERT INTO exemplars (case_id, request_id, seen, body) VALUES ($1, $2, 1, '{}')`, id, id+"v1")
	}
}

func (s suite) change(t *testing.T, query string, args ...any) {
	t.Helper()
	err := s.store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStoppedReaderHoldsNothing: while an export waits for whoever takes its lines, the
// write-ahead log of the store can be emptied.
func TestStoppedReaderHoldsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	db := open(t, cfg)
	s := suite{db, datasets.NewCases(db), keeper(t, db, cfg), cfg}
	s.fill(t, 60)
	other := raw(t, "sqlite", path)
	stopped := false
	err := s.cases.Rows(t.Context(), datasets.Filter{}, func(datasets.Row) error {
		if stopped {
			return nil
		}
		stopped = true
		s.change(t, `UPDATE cases SET label = 'x'`) // newer than what was read
		var busy, pages, moved int
		err := other.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
		if err == nil && busy != 0 {
			t.Error("the log is held")
		}
		return err
	})
	if err != nil || !stopped {
		t.Error(stopped, err)
	}
}
