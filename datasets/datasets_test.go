package datasets_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/datasets/storetest"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/redact"
)

func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithPostgres)) }

func config(path string) datasets.Config {
	cfg := datasets.DefaultConfig()
	cfg.URL = "sqlite:" + path
	return cfg
}

func open(tb testing.TB, cfg datasets.Config) *datasets.Store {
	tb.Helper()
	s, err := datasets.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func archive(tb testing.TB, s *datasets.Store, cfg datasets.Config) (*datasets.Archive, *redact.Redactor) {
	tb.Helper()
	r, err := redact.New(redact.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return datasets.NewArchive(s, r, cfg), r
}

func TestStore(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]func(*testing.T) string{
		"file":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "a b?c.db") },
		"memory": func(*testing.T) string { return ":memory:" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) (*datasets.Store, datasets.Config) {
				cfg := config(path(t))
				return open(t, cfg), cfg
			})
		})
	}
}

// TestStoreOnPostgres holds a shared store to the same promises.
func TestStoreOnPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) (*datasets.Store, datasets.Config) {
		cfg := onPostgres(t)
		return open(t, cfg), cfg
	})
}

// onPostgres names an empty database, or skips the test where there is no server.
func onPostgres(t testing.TB) datasets.Config {
	t.Helper()
	url, ok := containers.UsePostgres(t)
	if !ok {
		t.Skip("needs a PostgreSQL")
	}
	cfg := datasets.DefaultConfig()
	cfg.URL = url
	return cfg
}

func failing(n int, input, output string) *eval.Report {
	return &eval.Report{
		Event:    &event.Event{RequestID: event.RequestID(fmt.Sprintf("r%d", n)), Input: event.Text(input), Output: event.Text(output)},
		Verdicts: []eval.Verdict{{Eval: "e", Type: eval.TypeRule, Outcome: eval.OutcomeFail, Reason: "x", Explanation: output}},
	}
}

// TestRestart: what was offered is there after the process ended without Close,
// and beside a second one.
func TestRestart(t *testing.T) {
	t.Parallel()
	cfg := config(filepath.Join(t.TempDir(), "cases.db"))
	first := open(t, cfg)
	a, _ := archive(t, first, cfg)
	r := failing(1, "in", "out")
	if _, err := a.Offer(t.Context(), r, r.Event); err != nil {
		t.Fatal(err)
	}
	second := open(t, cfg) // the first still has it open
	b, _ := archive(t, second, cfg)
	if n, err := b.Offer(t.Context(), r, r.Event); err != nil || n != 0 {
		t.Errorf("the same occurrence through a second store: %d, %v", n, err)
	}
	if counts, err := second.Counts(t.Context()); err != nil || counts.Occurrences != 1 {
		t.Errorf("counts: %+v, %v", counts, err)
	}
}

// TestOpenTogether: ten processes start on one new file.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	openTogether(t, config(filepath.Join(t.TempDir(), "cases.db")))
}

// TestOpenTogetherOnPostgres: ten workers start on one empty database.
func TestOpenTogetherOnPostgres(t *testing.T) {
	t.Parallel()
	openTogether(t, onPostgres(t))
}

func openTogether(t *testing.T, cfg datasets.Config) {
	t.Helper()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			s, err := datasets.Open(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := datasets.OpenExisting(t.Context(), config(filepath.Join(dir, "none.db"))); !errors.Is(err, datasets.ErrNoStore) {
		t.Errorf("a store that does not exist: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("reading made the store")
	}
	if _, err := datasets.Open(t.Context(), config(filepath.Join(dir, "no", "such", "folder.db"))); err == nil || !strings.Contains(err.Error(), "make its folder first") {
		t.Errorf("in a folder that does not exist: %v", err)
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 500), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := datasets.Open(t.Context(), config(garbage)); err == nil {
		t.Error("a file that is no database is opened")
	}
	if fs := (datasets.Config{URL: "mysql://x"}).Validate(); len(fs) != 5 {
		t.Errorf("faults: %v", fs)
	}
}

// TestNothingSensitiveOnDisk looks for planted secrets in the bytes of the files.
func TestNothingSensitiveOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(filepath.Join(dir, "cases.db"))
	s := open(t, cfg)
	a, redactor := archive(t, s, cfg)
	key, mail := "sk-"+strings.Repeat("aB3dE5fG", 4), "ana.canary"+"@example.com"
	r := failing(1, "my key is "+key, "we wrote to "+mail)
	r.Verdicts[0].Criteria = []eval.Criterion{{ID: "c", Evidence: key, Reason: mail}}
	redacted, err := redactor.Event(r.Event)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Offer(t.Context(), r, redacted); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := s.Export(t.Context(), &b, datasets.JSONL, datasets.Filter{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "my key is [OPENAI_KEY]") || !strings.Contains(b.String(), "we wrote to [EMAIL]") {
		t.Errorf("export: %s", b.String())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, planted := range []string{key, mail} {
			if bytes.Contains(data, []byte(planted)) {
				t.Errorf("%s holds %q", filepath.Base(f), planted[:4])
			}
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	cfg := config(":memory:")
	s := open(t, cfg)
	a, _ := archive(t, s, cfg)
	r := failing(1, "=1+1", "a\nb,\"c\" <tag>")
	r.Event.ToolCalls = []event.ToolCall{{Name: "-f", Arguments: event.JSON(json.RawMessage(`{"x": 1}`))}}
	if _, err := a.Offer(t.Context(), r, r.Event); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := s.Export(t.Context(), &out, datasets.CSV, datasets.Filter{}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	cells := map[string]string{}
	for i, name := range rows[0] {
		cells[name] = rows[1][i]
	}
	if cells["input"] != "'=1+1" || cells["tool_calls"] != `'-f {"x":1}` || cells["output"] != "a\nb,\"c\" <tag>" || cells["score"] != "0" {
		t.Errorf("row: %q", cells)
	}
	out.Reset()
	if _, err := s.Export(t.Context(), &out, datasets.JSONL, datasets.Filter{}); err != nil {
		t.Fatal(err)
	}
	var row datasets.Row
	if err := json.Unmarshal([]byte(out.String()), &row); err != nil || row.RequestID != "r1" || row.Evaluator != "e" || event.JSON(row.Output).Text() != "a\nb,\"c\" <tag>" {
		t.Errorf("line: %s (%v)", out.String(), err)
	}
	if _, err := s.Export(t.Context(), &out, "xml", datasets.Filter{}); err == nil {
		t.Error("an unknown format is accepted")
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	cfg := config(":memory:")
	s := open(t, cfg)
	a, _ := archive(t, s, cfg)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Offer(t.Context(), failing(1, "a", "b"), nil); err == nil {
		t.Error("a closed store takes a report")
	}
}

// BenchmarkOffer shows what grouping is worth: many callers share one flush. The
// content is that of a usual request, and one failure in ten is a case of its own.
// PostgreSQL is the one that EVALWORKER_TEST_POSTGRES names.
func BenchmarkOffer(b *testing.B) {
	input, output := strings.Repeat("Where is my order? ", 50), strings.Repeat("It is on its way. ", 50)
	stores := map[string]func(*testing.B) datasets.Config{
		"sqlite":   func(b *testing.B) datasets.Config { return config(filepath.Join(b.TempDir(), "cases.db")) },
		"postgres": func(b *testing.B) datasets.Config { return onPostgres(b) },
	}
	for _, run := range []struct {
		store   string
		callers int
	}{{"sqlite", 1}, {"sqlite", 64}, {"postgres", 1}, {"postgres", 64}} {
		callers := run.callers
		b.Run(fmt.Sprintf("%s/callers=%d", run.store, callers), func(b *testing.B) {
			cfg := stores[run.store](b)
			a, _ := archive(b, open(b, cfg), cfg)
			var n atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						r := failing(int(i), fmt.Sprintf("%s%c", input, 'a'+rune(i/10)), output)
						if _, err := a.Offer(b.Context(), r, r.Event); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}
