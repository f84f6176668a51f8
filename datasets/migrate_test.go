package datasets_test

import (
	"path/filepath"
	"testing"

	"github.com/evalworker/evalworker/datasets"
)

// TestStoreOfBeforeFeatures: rows from before occurrences and exemplars had a feature
// are found by the case's feature, and shown with it.
func TestStoreOfBeforeFeatures(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	s := open(t, cfg)
	k := keeper(t, s, cfg)
	old := failing(1, "q", "a")
	old.Event.Feature, old.Event.PromptName = "support", "triage"
	if _, err := k.Offer(t.Context(), old, old.Event); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, "sqlite", path)
	for _, undo := range []string{
		`DROP INDEX occurrences_feature`, `ALTER TABLE occurrences DROP COLUMN feature`, `DELETE FROM goose_db_version WHERE version_id = 2`,
		`UPDATE exemplars SET body = json_remove(body, '$.feature', '$.prompt_name')`,
	} {
		if _, err := db.ExecContext(t.Context(), undo); err != nil {
			t.Fatalf("%s: %v", undo, err)
		}
	}

	s = open(t, cfg)
	cases := datasets.NewCases(s)
	k = keeper(t, s, cfg)
	young := failing(2, "q", "a")
	young.Event.Feature = "search"
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
				want = [2]string{"search", ""}
			}
			if got := [2]string{x.Feature, x.PromptName}; got != want {
				t.Errorf("%s: feature and prompt %q, want %q", x.RequestID, got, want)
			}
		}
	}
}
