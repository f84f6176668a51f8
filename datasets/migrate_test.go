package datasets_test

import (
	"path/filepath"
	"testing"

	"github.com/evalworker/evalworker/datasets"
)

// TestStoreOfBeforeFeatures: what was kept before occurrences and exemplars said of
// which feature they are is found by the case's, and shown with it.
func TestStoreOfBeforeFeatures(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	s := open(t, cfg)
	a, _ := archive(t, s, cfg)
	old := failing(1, "q", "a")
	old.Event.Feature, old.Event.PromptName = "support", "triage"
	if _, err := a.Offer(t.Context(), old, old.Event); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	for _, undo := range []string{
		`DROP INDEX occurrences_feature`, `ALTER TABLE occurrences DROP COLUMN feature`, `DELETE FROM goose_db_version WHERE version_id = 2`,
		`UPDATE exemplars SET body = json_remove(body, '$.feature', '$.prompt_name')`,
	} {
		if _, err := db.ExecContext(t.Context(), undo); err != nil {
			t.Fatalf("%s: %v", undo, err)
		}
	}

	s = open(t, cfg)
	a, _ = archive(t, s, cfg)
	young := failing(2, "q", "a")
	young.Event.Feature = "search"
	if n, err := a.Offer(t.Context(), young, young.Event); err != nil || n != 1 {
		t.Fatalf("%d new, %v", n, err)
	}
	for _, feature := range []string{"support", "search"} {
		cases, err := s.List(t.Context(), datasets.Filter{Feature: feature})
		if err != nil || len(cases) != 1 || cases[0].Count != 2 {
			t.Fatalf("of feature %s: %+v, %v", feature, cases, err)
		}
		c, err := s.Case(t.Context(), cases[0].ID)
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
