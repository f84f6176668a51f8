package upgrade

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

const root = "../.."

// program is one version of both programs.
type program struct {
	name       string
	evalworker string // its path; emitter is beside it
	tables     int    // version of the tables that it makes
	// asks reports whether it asks a newer store whether it may use it. Those that do not
	// refuse every store that is newer than they are.
	asks bool
}

// emitter returns the path of the other program.
func (p program) emitter() string { return filepath.Join(filepath.Dir(p.evalworker), "emitter") }

// commit is an earlier state of this repository.
type commit struct {
	hash   string
	tables int
	asks   bool
}

// earlier are the commits whose programs run beside this one, each for what it alone
// proves; docs/upgrading.md has what they showed.
func earlier() []commit {
	return []commit{
		{"85baf24a1128cfabd7f1ee316ff58c89707b08da", 1, false}, // 2026-11-25: the first form of the tables
		{"26ab97a5591555372fd0fd7000a43de7209dd6f1", 2, false}, // 2026-11-30 12:18: no store says whom it admits
		{"da1a9f0b0cff14b87601becd69036ba4f7cbf620", 2, true},  // 2026-11-30: no store says who changed it
	}
}

// programs are all versions.
type programs struct {
	earlier    []program
	this, next program
}

// buildAll builds all of them.
func buildAll(t *testing.T) programs {
	t.Helper()
	var out programs
	tables := len(migrations(t))
	for _, c := range earlier() {
		if err := exec.CommandContext(t.Context(), "git", "-C", root, "cat-file", "-e", c.hash+"^{commit}").Run(); err != nil {
			text := "the history does not hold the commit " + c.hash + ": fetch all of it (git fetch --unshallow)"
			if os.Getenv(containers.EnvRequired) == "required" {
				t.Fatal(text)
			}
			t.Skip(text)
		}
	}
	for _, c := range earlier() {
		src := filepath.Join(t.TempDir(), "src")
		archive := exec.CommandContext(t.Context(), "git", "-C", root, "archive", "--format=tar", c.hash)
		var tree, said bytes.Buffer
		archive.Stdout, archive.Stderr = &tree, &said
		if err := archive.Run(); err != nil {
			t.Fatalf("git archive: %v\n%s", err, said.Bytes())
		}
		if err := os.Mkdir(src, 0o750); err != nil {
			t.Fatal(err)
		}
		unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", src)
		unpack.Stdin = &tree
		if text, err := unpack.CombinedOutput(); err != nil {
			t.Fatalf("tar: %v\n%s", err, text)
		}
		out.earlier = append(out.earlier, program{name: c.hash[:7], evalworker: build(t, src, c.hash[:7]), tables: c.tables, asks: c.asks})
	}
	out.this = program{name: "this", evalworker: build(t, root, "this"), tables: tables, asks: true}
	out.next = program{name: "next", evalworker: build(t, root, "next", "-overlay", nextOverlay(t, tables)), tables: tables + 1, asks: true}
	return out
}

// build builds both programs of a tree into a folder that every user can read, and
// returns the path of evalworker.
func build(t *testing.T, src, version string, flags ...string) string {
	t.Helper()
	bin := sharedFolder(t)
	args := append([]string{
		"build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/evalworker/evalworker/internal/cli.version=" + version, "-o", bin + "/",
	}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./cmd/evalworker", "./cmd/emitter")...)
	cmd.Dir = src
	// An earlier tree has its own workspace, or none.
	cmd.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", version, err, out)
	}
	return filepath.Join(bin, "evalworker")
}

// migrations returns the names of this tree's changes of tables.
func migrations(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "store", "migrations", "sqlite", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations: %v, %v", files, err)
	}
	return files
}

// nextMigration is a change of the kind that older programs need not mind: a column that
// may be empty. Rows that exist have a value, so that a rollback has something to lose.
const nextMigration = `-- +goose Up
ALTER TABLE occurrences ADD COLUMN trial TEXT;
UPDATE occurrences SET trial = evaluator;

-- +goose Down
ALTER TABLE occurrences DROP COLUMN trial;
`

// nextRevision is its row in store/versions.go.
const nextRevision = "\t\t{lowestReader: 1, lowestWriter: 1, lost: \"the trial of %d of the failures\", countLost: `SELECT COUNT(*) FROM occurrences WHERE trial IS NOT NULL`},\n"

// nextOverlay writes the files of the next program that this tree lacks, and returns the
// file that tells the go command of them.
func nextOverlay(t *testing.T, tables int) string {
	t.Helper()
	dir := t.TempDir()
	store, err := filepath.Abs(filepath.Join(root, "store"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(store, "versions.go"))
	if err != nil {
		t.Fatal(err)
	}
	const after = "\t}\n}\n\n// programVersion"
	if strings.Count(string(text), after) != 1 {
		t.Fatalf("store/versions.go: the end of the list of revisions, %q, is not found: mend this test", after)
	}
	name := fmt.Sprintf("%04d_trial.sql", tables+1)
	replace := map[string]string{}
	for path, content := range map[string]string{
		"versions.go":                 strings.Replace(string(text), after, nextRevision+after, 1),
		"migrations/sqlite/" + name:   nextMigration,
		"migrations/postgres/" + name: nextMigration,
	} {
		file := filepath.Join(dir, strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(store, filepath.FromSlash(path))] = file
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sharedFolder makes a folder that every user can read, because a reader is another user.
func sharedFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "upgrade-test-*")
	if err == nil {
		err = os.Chmod(folder, 0o755) //nolint:gosec // see above
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(folder, 0o700); err != nil { //nolint:gosec // a folder
			t.Error(err)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}
