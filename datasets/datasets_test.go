package datasets_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/store"
)

func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithPostgres)) }

func config(path string) store.Config {
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + path
	return cfg
}

func open(tb testing.TB, cfg store.Config) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), cfg)
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

func redactor(tb testing.TB) *redact.Redactor {
	tb.Helper()
	r, err := redact.New(redact.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func keeper(tb testing.TB, s *store.Store, cfg store.Config) *datasets.Keeper {
	tb.Helper()
	return datasets.NewKeeper(s, redactor(tb), cfg.MaxExemplars)
}

func TestCases(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]func(*testing.T) string{
		"file":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "a b?c.db") },
		"memory": func(*testing.T) string { return ":memory:" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conform(t, func(t *testing.T) (*store.Store, store.Config) {
				cfg := config(path(t))
				return open(t, cfg), cfg
			})
		})
	}
}

// TestCasesOnPostgres: a shared store keeps the same promises.
func TestCasesOnPostgres(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) (*store.Store, store.Config) {
		cfg := onPostgres(t)
		return open(t, cfg), cfg
	})
}

// onPostgres returns the configuration of an empty database, or skips the test where
// there is no server.
func onPostgres(t testing.TB) store.Config {
	t.Helper()
	url, ok := containers.UsePostgres(t)
	if !ok {
		t.Skip("needs a PostgreSQL")
	}
	cfg := store.DefaultConfig()
	cfg.URL = url
	return cfg
}

// raw opens a store's database with a second connection pool.
func raw(t *testing.T, driver, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func failing(n int, input, output string) *eval.Report {
	return &eval.Report{
		Event:    &event.Event{RequestID: event.RequestID(fmt.Sprintf("r%d", n)), Input: event.Text(input), Output: event.Text(output)},
		Verdicts: []eval.Verdict{{Eval: "e", Type: eval.TypeRule, Outcome: eval.OutcomeFail, Reason: "x", Explanation: output}},
	}
}

// TestRestart: offered failures are there after the process ended without Close,
// and while a second one has the file open.
func TestRestart(t *testing.T) {
	t.Parallel()
	cfg := config(filepath.Join(t.TempDir(), "cases.db"))
	first := open(t, cfg)
	k := keeper(t, first, cfg)
	r := failing(1, "in", "out")
	if _, err := k.Offer(t.Context(), r, r.Event); err != nil {
		t.Fatal(err)
	}
	second := open(t, cfg) // the first still has it open
	b := keeper(t, second, cfg)
	if n, err := b.Offer(t.Context(), r, r.Event); err != nil || n != 0 {
		t.Errorf("the same occurrence through a second store: %d, %v", n, err)
	}
	if counts, err := datasets.NewCases(second).Counts(t.Context()); err != nil || counts.Occurrences != 1 {
		t.Errorf("counts: %+v, %v", counts, err)
	}
}

// TestNothingSensitiveOnDisk: the bytes of the files hold no planted secret.
func TestNothingSensitiveOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(filepath.Join(dir, "cases.db"))
	s := open(t, cfg)
	k, redactor := keeper(t, s, cfg), redactor(t)
	key, mail := "sk-"+strings.Repeat("aB3dE5fG", 4), "ana.canary"+"@example.com"
	r := failing(1, "my key is "+key, "we wrote to "+mail)
	r.Verdicts[0].Criteria = []eval.Criterion{{ID: "c", Evidence: key, Reason: mail}}
	redacted, err := redactor.Event(r.Event)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Offer(t.Context(), r, redacted); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := datasets.NewCases(s).Export(t.Context(), &b, datasets.JSONL(), datasets.Filter{}); err != nil {
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

// exported returns the export of one report.
func exported(t *testing.T, format datasets.Format, r *eval.Report) string {
	t.Helper()
	cfg := config(":memory:")
	s := open(t, cfg)
	if _, err := keeper(t, s, cfg).Offer(t.Context(), r, r.Event); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if n, err := datasets.NewCases(s).Export(t.Context(), &out, format, datasets.Filter{}); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	return out.String()
}

func TestClosed(t *testing.T) {
	t.Parallel()
	cfg := config(":memory:")
	s := open(t, cfg)
	k := keeper(t, s, cfg)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Offer(t.Context(), failing(1, "a", "b"), nil); err == nil {
		t.Error("a closed store takes a report")
	}
}

// BenchmarkOffer shows the gain from grouping: many callers share one flush. The
// content is that of a usual request, and one failure in ten is a new case.
// EVALWORKER_TEST_POSTGRES names the PostgreSQL.
func BenchmarkOffer(b *testing.B) {
	input, output := strings.Repeat("Where is my order? ", 50), strings.Repeat("It is on its way. ", 50)
	stores := map[string]func(*testing.B) store.Config{
		"sqlite":   func(b *testing.B) store.Config { return config(filepath.Join(b.TempDir(), "cases.db")) },
		"postgres": func(b *testing.B) store.Config { return onPostgres(b) },
	}
	for _, run := range []struct {
		store   string
		callers int
	}{{"sqlite", 1}, {"sqlite", 64}, {"postgres", 1}, {"postgres", 64}} {
		callers := run.callers
		b.Run(fmt.Sprintf("%s/callers=%d", run.store, callers), func(b *testing.B) {
			cfg := stores[run.store](b)
			k := keeper(b, open(b, cfg), cfg)
			var n atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						r := failing(int(i), fmt.Sprintf("%s%c", input, 'a'+rune(i/10)), output)
						if _, err := k.Offer(b.Context(), r, r.Event); err != nil {
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
