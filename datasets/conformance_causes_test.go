package datasets_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/store"
)

// failures offers failures of two prompts: 6 of triage with one reason and 3 questions,
// in versions v1 and v2, 1 of triage with another reason, and 2 of reply.
func (s suite) failures(t *testing.T) {
	t.Helper()
	for n := range 9 {
		r := report(n, []string{"where", "when", "why"}[n%3])
		r.Event.PromptVersion = fmt.Sprintf("v%d", 1+n/4)
		switch n {
		case 6:
			r.Verdicts[0].Reason = "required at /b"
		case 7, 8:
			r.Event.PromptName = "reply"
		}
		s.offer(t, r)
	}
}

// summary writes a group in short.
func summary(g datasets.Group) string {
	return fmt.Sprintf("%s|%s|%s|%s: %d in %d, at %d to %d, %s", g.Evaluator, g.Reason, g.PromptName, g.PromptVersion, g.Occurrences, g.Cases,
		int(g.FirstSeen.Sub(start).Seconds()), int(g.LastSeen.Sub(start).Seconds()), strings.Join(g.Versions, " "))
}

// groupings: each grouping has the right counts, versions and times, most failures first.
func groupings(t *testing.T, s suite) {
	t.Helper()
	s.failures(t)
	// The first question was seen in v1, v9 and v1 again, which is neither its first nor
	// its last version.
	for n, version := range []string{"v9", "v1"} {
		r := report(10+n, "where")
		r.Event.PromptVersion, r.Event.OccurredAt = version, start.Add(time.Second)
		s.offer(t, r)
	}
	want := map[datasets.Grouping][]string{
		datasets.ByCause: {
			"format|type at /a|triage|: 8 in 3, at 0 to 5, v2 v1 v9", "format|type at /a|reply|: 2 in 2, at 7 to 8, v3 v2",
			"format|required at /b|triage|: 1 in 1, at 6 to 6, v2",
		},
		datasets.ByReason: {"format|type at /a||: 10 in 5, at 0 to 8, v3 v1 v2 v9", "format|required at /b||: 1 in 1, at 6 to 6, v2"},
		datasets.ByPrompt: {"||triage|: 9 in 4, at 0 to 6, v2 v1 v9", "||reply|: 2 in 2, at 7 to 8, v3 v2"},
		datasets.ByVersion: {
			"||triage|v1: 5 in 3, at 0 to 3, ", "||triage|v2: 3 in 3, at 4 to 6, ",
			"||reply|v3: 1 in 1, at 8 to 8, ", "||reply|v2: 1 in 1, at 7 to 7, ", "||triage|v9: 1 in 1, at 1 to 1, ",
		},
		datasets.ByEvaluator: {"format|||: 11 in 6, at 0 to 8, v3 v1 v2 v9"},
	}
	for _, by := range datasets.Groupings() {
		groups, total, err := s.cases.Groups(t.Context(), by, datasets.Filter{})
		var got []string
		for _, g := range groups {
			got = append(got, summary(g))
		}
		if err != nil || total != len(want[by]) || !slices.Equal(got, want[by]) {
			t.Errorf("by %s: %q, %d in all, %v; want %q", by, got, total, err, want[by])
		}
		cut, total, err := s.cases.Groups(t.Context(), by, datasets.Filter{Limit: 1})
		if err != nil || len(cut) != 1 || total != len(want[by]) {
			t.Errorf("by %s, one only: %d of %d, %v", by, len(cut), total, err)
		}
		none, _, err := s.cases.Groups(t.Context(), by, datasets.Filter{Evaluator: "other"})
		if err != nil || len(none) != 0 {
			t.Errorf("by %s of another evaluator: %+v, %v", by, none, err)
		}
	}
	if _, _, err := s.cases.Groups(t.Context(), "colour", datasets.Filter{}); err == nil {
		t.Error("grouped by something that there is not")
	}
}

// causes: a cause has an id that its cases have too, and is a filter.
func causes(t *testing.T, s suite) {
	t.Helper()
	s.failures(t)
	groups, _, err := s.cases.Groups(t.Context(), datasets.ByCause, datasets.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		f := datasets.Filter{Cause: g.Cause[:8]}
		list, err := s.cases.List(t.Context(), f)
		if err != nil || len(list) != g.Cases {
			t.Errorf("cases of %+v: %+v, %v", g, list, err)
		}
		for _, c := range list {
			if c.Cause != g.Cause || c.PromptName != g.PromptName || c.Reason != g.Reason {
				t.Errorf("case of another cause: %+v", c)
			}
		}
		if counts, err := s.cases.CountsOf(t.Context(), f); err != nil || counts != (datasets.Counts{Cases: g.Cases, Occurrences: g.Occurrences}) {
			t.Errorf("counts of %+v: %+v, %v", g, counts, err)
		}
	}
	for _, id := range []string{"zzz", groups[0].Cause + "0"} {
		if _, err := s.cases.List(t.Context(), datasets.Filter{Cause: id}); !errors.Is(err, datasets.ErrNoCause) {
			t.Errorf("cause %q: %v", id, err)
		}
	}
	if _, err := s.cases.Case(t.Context(), groups[0].Cause); !errors.Is(err, datasets.ErrNoCase) || !strings.Contains(err.Error(), "--cause "+groups[0].Cause[:8]) {
		t.Errorf("a cause as the id of a case: %v", err)
	}
}

// earlierBuilds: a case whose id an earlier build has made goes on, with its count and
// status, for failures of its prompt. An event that the earlier build has counted counts
// no more.
func earlierBuilds(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "Where is order 17?"))
	sum := sha256.Sum256([]byte("format\xfftype at /a\xffcontent\xffwhere is order #?\xff"))
	former := hex.EncodeToString(sum[:8])
	err := s.store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, query := range []string{
			`INSERT INTO cases SELECT $1, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, 'confirmed', first_seen, last_seen, count FROM cases`,
			`UPDATE occurrences SET case_id = $1`, `UPDATE exemplars SET case_id = $1`, `DELETE FROM cases WHERE id <> $1`,
		} {
			if _, err := tx.Exec(ctx, query, former); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.offer(t, report(1, "Where is order 17?")); n != 0 {
		t.Errorf("an event of before counts again: %d", n)
	}
	other := report(3, "where is order 5?")
	other.Event.PromptName = "other"
	if n := s.offer(t, report(2, "where is order 4711?")) + s.offer(t, other); n != 2 {
		t.Errorf("new: %d", n)
	}
	c := s.only(t, datasets.Filter{PromptName: "triage"})
	if c.ID != former || c.Count != 2 || len(c.Exemplars) != 2 || c.Status != datasets.StatusConfirmed {
		t.Errorf("the case of before: %+v", c)
	}
	if c := s.only(t, datasets.Filter{PromptName: "other"}); c.ID == former || c.Count != 1 {
		t.Errorf("the case of another prompt: %+v", c)
	}
}

// status: a dismissed case is in no list, group or export that does not ask for it, and
// stays dismissed when it occurs again.
func status(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "a"))
	c := s.only(t, datasets.Filter{})
	for _, to := range datasets.Statuses() {
		if _, err := s.cases.SetStatus(t.Context(), c.ID[:6], to); err != nil {
			t.Fatal(err)
		}
		if got := s.only(t, datasets.Filter{Status: to}); got.ID != c.ID || got.Status != to {
			t.Errorf("%s: %+v", to, got)
		}
	}
	s.offer(t, report(2, "a"))
	if got := s.only(t, datasets.Filter{Status: datasets.StatusDismissed}); got.Count != 2 {
		t.Errorf("the dismissed case, seen again: %+v", got)
	}
	list, err := s.cases.List(t.Context(), datasets.Filter{})
	groups, _, errOfGroups := s.cases.Groups(t.Context(), datasets.ByCause, datasets.Filter{})
	var b strings.Builder
	n, errOfExport := s.cases.Export(t.Context(), &b, datasets.JSONL(), datasets.Filter{})
	if err := errors.Join(err, errOfGroups, errOfExport); err != nil || len(list) != 0 || len(groups) != 0 || n != 0 {
		t.Errorf("with a dismissed case only: %+v, %+v, %d exported, %v", list, groups, n, err)
	}
	before, err := s.cases.SetStatus(t.Context(), c.ID, datasets.StatusCandidate)
	if err != nil || before.Status != datasets.StatusDismissed {
		t.Errorf("before: %+v, %v", before, err)
	}
	if _, err := s.cases.SetStatus(t.Context(), "zzz", datasets.StatusConfirmed); !errors.Is(err, datasets.ErrNoCase) {
		t.Errorf("status of a case that there is not: %v", err)
	}
}

// unknownNames: a name that no case has is told from one that has none at the moment.
func unknownNames(t *testing.T, s suite) {
	t.Helper()
	all := datasets.Filter{Evaluator: "x", PromptName: "x", PromptVersion: "x", Feature: "x"}
	if got, err := s.cases.Unknown(t.Context(), all); err != nil || len(got) != 0 {
		t.Errorf("of an empty store: %+v, %v", got, err)
	}
	s.failures(t)
	got, err := s.cases.Unknown(t.Context(), all)
	want := map[string][]string{"Evaluator": {"format"}, "PromptName": {"reply", "triage"}, "PromptVersion": {"v1", "v2", "v3"}, "Feature": {"support"}}
	if err != nil || len(got) != len(want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, u := range got {
		if u.Name != "x" || !slices.Equal(u.Known, want[u.Field]) {
			t.Errorf("%+v, want %v", u, want[u.Field])
		}
	}
	known := datasets.Filter{Evaluator: "format", PromptName: "reply", PromptVersion: "v1", Feature: "support", Until: start}
	if got, err := s.cases.Unknown(t.Context(), known); err != nil || len(got) != 0 {
		t.Errorf("names that are known: %+v, %v", got, err)
	}
}

// questions: a case has the question of its first exemplar, if there is one.
func questions(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "Where is order 17?"))
	s.offer(t, report(2, "where is order 4711?"))
	if _, err := s.keeper.Offer(t.Context(), report(3, "canary"), nil); err != nil {
		t.Fatal(err)
	}
	comment := report(4, "")
	comment.Event.Input, comment.Event.Comment = event.Content{}, "It never came."
	s.offer(t, comment)
	list, err := s.cases.List(t.Context(), datasets.Filter{})
	if err := errors.Join(err, s.cases.Questions(t.Context(), list)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		got = append(got, c.Question)
	}
	if want := []string{"Where is order 17?", "It never came.", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
