package datasets_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/store"
)

// TestStoreOfBeforeFeatures: rows from before occurrences and exemplars had a feature
// are found by the case's feature, and shown with it.
func TestStoreOfBeforeFeatures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(filepath.Join(dir, "new.db"))
	s := open(t, cfg)
	old := failing(1, "q", "a")
	old.Event.Feature, old.Event.PromptName = "support", "triage"
	if _, err := keeper(t, s, cfg).Offer(t.Context(), old, old.Event); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg = config(filepath.Join(dir, "old.db"))
	copyToFirstVersion(t, filepath.Join(dir, "new.db"), filepath.Join(dir, "old.db"))

	readsFirstVersion(t, cfg)
	s = open(t, cfg)
	cases := datasets.NewCases(s)
	k := keeper(t, s, cfg)
	young := failing(2, "q", "a")
	young.Event.Feature, young.Event.PromptName = "search", "triage"
	if n, err := k.Offer(t.Context(), young, young.Event); err != nil || n != 1 {
		t.Fatalf("%d new, %v", n, err)
	}
	for _, feature := range []string{"support", "search"} {
		list, err := cases.List(t.Context(), datasets.Filter{Feature: feature})
		if err != nil || len(list) != 1 || list[0].Count != 2 {
			t.Fatalf("of feature %s: %+v, %v", feature, list, err)
		}
		c, err := cases.Case(t.Context(), list[0].ID)
		if err != nil || len(c.Exemplars) != 2 {
			t.Fatalf("%+v, %v", c, err)
		}
		for _, x := range c.Exemplars {
			want := [2]string{"support", "triage"}
			if x.RequestID == young.Event.RequestID {
				want = [2]string{"search", "triage"}
			}
			if got := [2]string{x.Feature, x.PromptName}; got != want {
				t.Errorf("%s: feature and prompt %q, want %q", x.RequestID, got, want)
			}
		}
	}
}

// readsFirstVersion reads a store with one case of the feature support in each way, and
// changes its status, without bringing its tables up to date.
func readsFirstVersion(t *testing.T, cfg store.Config) {
	t.Helper()
	s, err := store.OpenExisting(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	cases := datasets.NewCases(s)
	list, err := cases.List(t.Context(), datasets.Filter{Feature: "support"})
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := cases.Case(t.Context(), list[0].ID); err != nil {
		t.Error(err)
	}
	for _, by := range datasets.Groupings() {
		if groups, n, err := cases.Groups(t.Context(), by, datasets.Filter{Feature: "support"}); err != nil || n != 1 {
			t.Errorf("by %s: %+v, %v", by, groups, err)
		}
	}
	if unknown, err := cases.Unknown(t.Context(), datasets.Filter{Feature: "suport"}); err != nil || len(unknown) != 1 || len(unknown[0].Known) != 1 {
		t.Errorf("unknown %+v, %v", unknown, err)
	}
	if n, err := cases.Export(t.Context(), io.Discard, datasets.JSONL(), datasets.Filter{Feature: "support"}); err != nil || n != 1 {
		t.Errorf("%d exported, %v", n, err)
	}
	_, err = cases.SetStatus(t.Context(), list[0].ID, datasets.StatusConfirmed)
	if err := errors.Join(err, s.Close()); err != nil || s.Versions().Store != 1 {
		t.Errorf("version %d, %v", s.Versions().Store, err)
	}
}

// copyToFirstVersion copies rows into a new file as the first version of the tables
// had them.
func copyToFirstVersion(t *testing.T, from, to string) {
	t.Helper()
	migration, err := os.ReadFile(filepath.Join("..", "store", "migrations", "sqlite", "0001_cases.sql"))
	if err != nil {
		t.Fatal(err)
	}
	tables, _, _ := strings.Cut(string(migration), "-- +goose Down")
	db := raw(t, "sqlite", to)
	db.SetMaxOpenConns(1) // ATTACH is for one connection
	for _, query := range []string{
		tables,
		`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1)`,
		`ATTACH '` + from + `' AS new`,
		`INSERT INTO cases
			SELECT id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count FROM new.cases`,
		`INSERT INTO occurrences SELECT request_id, evaluator, case_id, prompt_version, seen FROM new.occurrences`,
		`INSERT INTO exemplars SELECT case_id, request_id, seen, json_remove(body, '$.feature', '$.prompt_name') FROM new.exemplars`,
	} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
