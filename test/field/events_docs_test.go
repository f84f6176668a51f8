package field_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/store"
)

const eventsPage = "../../docs/events.md"

// section returns a section of the page on events.
func section(t *testing.T, title string) string {
	t.Helper()
	page, err := os.ReadFile(eventsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(page), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", eventsPage, title)
	}
	body, _, _ = strings.Cut(body, "\n## ")
	return body
}

// TestEventsPage: the examples of the page on events give the verdicts that it shows.
func TestEventsPage(t *testing.T) {
	t.Parallel()
	for _, title := range []string{"Search (RAG)", "Agents", "Feedback"} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			runExamples(t, section(t, title))
		})
	}
}

// TestFeedbackBecomesCases: eval of the example on feedback keeps the cases that the page
// speaks of, and the export has them.
func TestFeedbackBecomesCases(t *testing.T) {
	t.Parallel()
	var configuration, events string
	for i, fence := range strings.Split(section(t, "Feedback"), "\n```") {
		switch language, body, _ := strings.Cut(fence, "\n"); {
		case i%2 == 0:
		case language == "yaml":
			configuration = body
		case language == "json":
			events = body
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "evalworker.yaml"), configuration)
	cfg, err := config.Load(filepath.Join(dir, "evalworker.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.URL = "sqlite:" + filepath.Join(dir, "cases.db")
	off, err := app.NewOffline(t.Context(), cfg, app.Deps{Log: slog.New(slog.DiscardHandler), Version: "test", Recorder: ignore{}})
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	_, err = replay.Run(t.Context(), off.Pipeline(), strings.NewReader(events), replay.Config{}, func(r replay.Result) error {
		for _, v := range r.Report.Verdicts {
			versions[string(r.Report.Event.RequestID)+" "+v.Eval] = r.Report.Event.PromptVersion
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := off.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"fb_1 says_something": "3", "fb_1 user_feedback": "3", "fb_2 user_feedback": "3", "fb_3 user_feedback": "3", "fb_4 user_feedback": "",
	}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Errorf("versions of the verdicts (-want +got):\n%s", diff)
	}

	s, err := store.OpenExisting(t.Context(), cfg.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out bytes.Buffer
	if _, err := datasets.NewCases(s).Export(t.Context(), &out, datasets.JSONL(), datasets.Filter{Evaluator: "user_feedback"}); err != nil {
		t.Fatal(err)
	}
	type exported struct {
		RequestID     string  `json:"request_id"`
		PromptName    string  `json:"prompt_name"`
		PromptVersion string  `json:"prompt_version"`
		Input         *string `json:"input"`
		Output        *string `json:"output"`
		Comment       string  `json:"comment"`
		Verdict       struct {
			Explanation string `json:"explanation"`
		} `json:"verdict"`
	}
	got := map[string]exported{}
	for line := range strings.Lines(out.String()) {
		var x exported
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		got[x.RequestID] = x
	}
	first := exported{
		RequestID: "fb_1", PromptName: "orders", PromptVersion: "3", Comment: "I could, last year.",
		Input: new("Can I cancel order 17?"), Output: new("Orders cannot be cancelled."),
	}
	last := exported{RequestID: "fb_4"}
	last.Verdict.Explanation = "feedback on request fb_4, whose question is not known here"
	if diff := cmp.Diff(map[string]exported{"fb_1": first, "fb_4": last}, got); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
}
