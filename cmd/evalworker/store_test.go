package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

// storeRunner runs commands on one store.
type storeRunner struct {
	t   *testing.T
	cfg store.Config
}

func (r storeRunner) run(code int, args ...string) string {
	r.t.Helper()
	var out, log strings.Builder
	args = append(args, "--store", r.cfg.URL)
	if got := run(r.t.Context(), args, strings.NewReader(""), &out, &log, nil); got != code {
		r.t.Fatalf("%s: exit code %d, want %d\n%s%s", args, got, code, out.String(), log.String())
	}
	return out.String() + log.String()
}

func (r storeRunner) want(text string, code int, args ...string) {
	r.t.Helper()
	if got := r.run(code, args...); !strings.Contains(got, text) {
		r.t.Errorf("%s prints\n%s\nwant %q", args, got, text)
	}
}

// write changes the store beside the commands.
func (r storeRunner) write(queries ...string) {
	r.t.Helper()
	s, err := store.OpenExisting(r.t.Context(), r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	defer s.Close()
	err = s.Write(r.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, q := range queries {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestStoreCommand: the tables are made, looked at, taken back and brought forward, and
// nothing is lost that was not asked for.
func TestStoreCommand(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		cfg := store.DefaultConfig()
		cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
		storeCommands(t, cfg)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url, ok := containers.UsePostgres(t)
		if !ok {
			t.Skip("needs a PostgreSQL")
		}
		cfg := store.DefaultConfig()
		cfg.URL = url
		storeCommands(t, cfg)
	})
}

func storeCommands(t *testing.T, cfg store.Config) {
	t.Helper()
	r := storeRunner{t, cfg}
	r.want("no such store", cli.ExitFailure, "store", "status")
	r.want("there is no store yet", cli.ExitOK, "store", "migrate", "--dry-run")
	r.want("no such store", cli.ExitFailure, "store", "status") // nothing was made
	r.want("made, with version", cli.ExitOK, "store", "migrate")
	r.want("nothing to do", cli.ExitOK, "store", "migrate")
	r.want("changed: from version 0 to 2 by "+cli.ReadBuild().Version+", 20", cli.ExitOK, "store", "status")

	var st store.Status
	if err := json.Unmarshal([]byte(r.run(cli.ExitOK, "store", "status", "--json")), &st); err != nil || st.Store != st.Program || len(st.Tables) == 0 || st.Bytes == 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	r.write(`INSERT INTO cases VALUES ('a', 'e', 'rule', '', '', '', '', '', '', 'candidate', 0, 0, 1)`,
		`INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen, feature) VALUES ('r', 'e', 'a', '', 1, 'search')`)
	r.want("rows: exemplars 0, occurrences 1, cases 1", cli.ExitOK, "store", "status")

	r.want("would be taken back from version 2 to 1, which loses the feature of 1 of the failures", cli.ExitOK, "store", "rollback", "--dry-run")
	r.want("--yes: missing, because version 1 loses the feature of 1 of the failures", cli.ExitUsage, "store", "rollback")
	r.want("pending: (none)", cli.ExitOK, "store", "status") // and nothing was done
	r.want("nothing to roll back", cli.ExitFailure, "store", "rollback", "--to", "7", "--yes")
	r.want("taken back from version 2 to 1, which lost the feature of 1 of the failures", cli.ExitOK, "store", "rollback", "--to", "1", "--yes")

	r.want("pending: 0002_feature", cli.ExitOK, "store", "status")
	r.want("changed: from version 2 to 1 by ", cli.ExitOK, "store", "status")
	r.want("would be migrated from version 1 to 2: 0002_feature", cli.ExitOK, "store", "migrate", "--dry-run")
	r.want("e", cli.ExitOK, "datasets", "list")
	r.want("pending: 0002_feature", cli.ExitOK, "store", "status") // reading left it alone
	r.want("migrated from version 1 to 2", cli.ExitOK, "store", "migrate")

	const newer = `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, '1')`
	r.write(newer, `INSERT INTO store_compatibility VALUES (99, 2, 98)`)
	r.want("written by: programs that know version 98 or a newer one, which this one does not", cli.ExitOK, "store", "status")
	r.want("e", cli.ExitOK, "datasets", "list")
	r.want("use a newer one", cli.ExitFailure, "datasets", "status", "a", "confirmed")
	r.want("use a newer one", cli.ExitFailure, "store", "migrate")
	r.want("only a newer one can change them back", cli.ExitFailure, "store", "rollback")
}

// TestStoreStatusOfANewerStore: a program that may not read the store still says who may.
func TestStoreStatusOfANewerStore(t *testing.T) {
	t.Parallel()
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	r := storeRunner{t, cfg}
	r.run(cli.ExitOK, "store", "migrate")
	r.write(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, '1')`)
	r.want("read by: programs that know version 99 or a newer one, which this one does not", cli.ExitOK, "store", "status")
	r.want("use a newer one", cli.ExitFailure, "datasets", "list")
}

// TestRollbackBesideAWorker: the tables of a file are not taken back under a worker.
func TestRollbackBesideAWorker(t *testing.T) {
	t.Parallel()
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Claim(); err != nil {
		t.Fatal(err)
	}
	r := storeRunner{t, cfg}
	r.want("another worker", cli.ExitFailure, "store", "rollback")
	r.want("in use by: a worker, process ", cli.ExitOK, "store", "status")
}

// TestSize: bytes as a person reads them.
func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 3 << 50: "3072.0 TiB"} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %q, want %q", bytes, got, want)
		}
	}
}

// TestListPages: a list ends after a page and says how the next one is seen; as JSON it is
// whole unless a page is asked for.
func TestListPages(t *testing.T) {
	t.Parallel()
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	r := storeRunner{t, cfg}
	r.run(cli.ExitOK, "store", "migrate")
	add := func(from, to int) {
		t.Helper()
		r.write(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO cases SELECT printf('%%08d', i), 'e', 'rule', 'r' || i, '', '', 'p', '', '', 'candidate', 0, 0, 10000 - i FROM n`, from, to-1))
	}
	listed := func(args ...string) []datasets.Case {
		t.Helper()
		var out []datasets.Case
		if err := json.Unmarshal([]byte(r.run(cli.ExitOK, append([]string{"datasets", "list", "--json"}, args...)...)), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := listed(); len(got) != 0 {
		t.Errorf("cases of an empty store: %v", got)
	}
	add(0, 125)
	r.want("and 105 more: --limit 125", cli.ExitOK, "datasets", "list", "--by", "case")
	r.want("and 105 more: --limit 125", cli.ExitOK, "datasets", "list")
	for _, by := range []string{"case", "cause"} {
		if got := r.run(cli.ExitOK, "datasets", "list", "--by", by, "--limit", "50", "--page", "3"); strings.Contains(got, "more:") || strings.Count(got, "e: r1") != 25 {
			t.Errorf("the last page by %s:\n%s", by, got)
		}
		r.want("no cases", cli.ExitOK, "datasets", "list", "--by", by, "--page", "99")
	}
	r.want("--page: 0 is out of range", cli.ExitUsage, "datasets", "list", "--page", "0")
	if got := listed(); len(got) != 125 || got[124].ID != "00000124" {
		t.Errorf("%d cases", len(got))
	}
	if got := listed("--page", "2"); len(got) != 20 || got[0].ID != "00000020" {
		t.Errorf("%d cases on the second page: %v", len(got), got)
	}
	add(125, 700)
	r.want("and 680 more: --page 2", cli.ExitOK, "datasets", "list")
	r.want("and 640 more: --page 4", cli.ExitOK, "datasets", "list", "--by", "case", "--page", "3")
}

// TestPrune: old failures and cases are counted, and then deleted, but not what a person
// has decided about.
func TestPrune(t *testing.T) {
	t.Parallel()
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	r := storeRunner{t, cfg}
	r.run(cli.ExitOK, "store", "migrate")
	now := time.Now().UnixMilli()
	for id, status := range map[string]string{"old": "candidate", "decided": "confirmed", "young": "candidate"} {
		seen := int64(1_000)
		if id == "young" {
			seen = now
		}
		r.write(fmt.Sprintf(`INSERT INTO cases VALUES ('%s', 'e', 'rule', '', '', '', '', '', '', '%s', 0, %d, 1)`, id, status, seen),
			fmt.Sprintf(`INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen) VALUES ('%[1]s', 'e', '%[1]s', '', %[2]d)`, id, seen),
			fmt.Sprintf(`INSERT INTO exemplars VALUES ('%[1]s', '%[1]s', %[2]d, '{}')`, id, seen))
	}
	r.want("nothing says what is kept", cli.ExitUsage, "datasets", "prune")
	r.want("--age: 1s is out of range", cli.ExitUsage, "datasets", "prune", "--age", "1s")
	const counts = ": 2 failures, 1 exemplar, 1 case"
	for _, keep := range []string{"--age=24h", "--rows=1"} {
		for range 2 { // counting deletes nothing
			if got := r.run(cli.ExitOK, "datasets", "prune", "--dry-run", keep); !strings.HasPrefix(got, "would be deleted") || !strings.Contains(got, counts) {
				t.Errorf("%s: %s, want %s", keep, got, counts)
			}
		}
	}
	r.want(": 0 failures", cli.ExitOK, "datasets", "prune", "--dry-run", "--rows", "3")
	r.want(counts, cli.ExitOK, "datasets", "prune", "--age", "24h")
	r.want("rows: exemplars 2, occurrences 1, cases 2", cli.ExitOK, "store", "status")
}
