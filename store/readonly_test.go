package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/store"
)

// readOnlyStore names the file that TestReadOnlyFile's other process reads.
const readOnlyStore = "EVALWORKER_TEST_READ_ONLY_STORE"

// readOnly reads a file that this process may not change, waits for a line and closes it.
func readOnly(t *testing.T, path string) {
	t.Helper()
	s, err := store.OpenExisting(t.Context(), config(path))
	if err != nil {
		fmt.Fprintln(os.Stdout, "not opened:", err)
		return
	}
	written := s.Write(t.Context(), insert("b"))
	fmt.Fprintln(os.Stdout, "read", ids(t, s), written != nil && strings.Contains(written.Error(), "read-only"))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Fprintln(os.Stdout, "closed", s.Close())
}

// TestReadOnlyFile: a user who may only read the file reads it, with no file made beside
// it, and is told when it was changed meanwhile.
func TestReadOnlyFile(t *testing.T) {
	if path := os.Getenv(readOnlyStore); path != "" {
		readOnly(t, path)
		return
	}
	t.Parallel()
	program := copyOfProgram(t)
	for name, tt := range map[string]struct{ change, worker bool }{
		"left alone": {}, "changed": {change: true}, "beside a worker": {worker: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := sharedFolder(t)
			path := filepath.Join(folder, "cases.db")
			s := open(t, config(path))
			if err := s.Write(t.Context(), insert("a")); err != nil {
				t.Fatal(err)
			}
			if !tt.worker {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			files, err := filepath.Glob(path + "*")
			if err != nil || (len(files) == 1) == tt.worker {
				t.Fatalf("files %v, %v", files, err)
			}
			for _, f := range files {
				if err := os.Chmod(f, 0o444); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(folder, 0o555); err != nil { //nolint:gosec // others are to read it
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestReadOnlyFile$") //nolint:gosec // this very program
			cmd.Env = append(os.Environ(), readOnlyStore+"="+path)
			if os.Getuid() == 0 { // whom no mode stops
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			in, errIn := cmd.StdinPipe()
			out, errOut := cmd.StdoutPipe()
			if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			if line, err := lines.ReadString('\n'); line != "read a true\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if now, err := filepath.Glob(path + "*"); err != nil || !slices.Equal(now, files) {
				t.Errorf("files %v became %v, %v", files, now, err)
			}
			want := "closed <nil>\n"
			if tt.change {
				if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				want = "the file was changed while it was read: read it again\n"
			}
			if _, err := io.WriteString(in, "\n"); err != nil {
				t.Fatal(err)
			}
			if line, err := lines.ReadString('\n'); !strings.HasSuffix(line, want) {
				t.Errorf("%q, %v; want %q", line, err, want)
			}
			_ = cmd.Wait()
		})
	}
}

// sharedFolder returns a folder whose files other users may reach, unlike t.TempDir.
func sharedFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "store-test-*")
	if err == nil {
		err = os.Chmod(folder, 0o755) //nolint:gosec // see above
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Chmod(folder, 0o700), os.RemoveAll(folder)); err != nil { //nolint:gosec // a folder
			t.Error(err)
		}
	})
	return folder
}

// copyOfProgram copies this test program to where every user may run it.
func copyOfProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(sharedFolder(t), "store.test")
	content, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(path, content, 0o755) //nolint:gosec // a program
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReadingKeepsTheJournal: reading leaves a file that has no write-ahead log, such as
// a copy made with VACUUM INTO, as it is.
func TestReadingKeepsTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, config(filepath.Join(dir, "cases.db")))
	copied := filepath.Join(dir, "copy.db")
	if _, err := s.DB().ExecContext(t.Context(), `VACUUM INTO '`+copied+`'`); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	reader := existing(t, config(copied))
	if got := ids(t, reader); got != "" {
		t.Errorf("read %s", got)
	}
	if made, err := filepath.Glob(copied + "-*"); err != nil || len(made) != 0 {
		t.Errorf("files %v, %v", made, err)
	}
	if after, err := os.ReadFile(copied); err != nil || string(after) != string(before) {
		t.Errorf("the copy was changed; %v", err)
	}
}

// TestReadOnlyRole: a role with SELECT alone reads; one that may change rows but no tables
// writes, even to a store that does not yet say who may use it.
func TestReadOnlyRole(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	if err := open(t, cfg).Write(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	db := raw(t, "pgx", cfg.URL)
	u, err := url.Parse(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	suffix, password := strings.TrimPrefix(u.Path, "/test_"), "a"+"b"
	as := func(name, rights string) store.Config {
		role := name + "_" + suffix
		execute(t, db, `CREATE ROLE `+role+` LOGIN PASSWORD '`+password+`'`)
		t.Cleanup(func() {
			if _, err := db.ExecContext(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role); err != nil {
				t.Error(err)
			}
		})
		if rights != "" {
			execute(t, db, `GRANT `+rights+` ON ALL TABLES IN SCHEMA public TO `+role)
		}
		to, other := *u, cfg
		to.User = url.UserPassword(role, password)
		other.URL = to.String()
		return other
	}
	reader := as("reader", "SELECT")
	s := existing(t, reader)
	if got := ids(t, s); got != "a" {
		t.Errorf("read %s", got)
	}
	if err := s.Write(t.Context(), insert("b")); err == nil || !strings.Contains(err.Error(), "a worker INSERT, UPDATE and DELETE") {
		t.Errorf("written: %v", err)
	}
	if _, err := store.OpenExisting(t.Context(), as("nobody", "")); err == nil || !strings.Contains(err.Error(), "need GRANT SELECT") {
		t.Errorf("without a right: %v", err)
	}
	// Rights are given to tables that exist, and this one came later.
	execute(t, db, `DROP TABLE store_compatibility`)
	writer := as("writer", "SELECT, INSERT, UPDATE, DELETE")
	if err := open(t, writer).Write(t.Context(), insert("c")); err != nil {
		t.Error(err)
	}
	open(t, cfg)
	// Now it does, also to those who were given their rights before, in a newer version too.
	execute(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`, `INSERT INTO store_compatibility VALUES (99, 1, 98)`)
	if v := existing(t, reader).Versions(); v.LowestReader != 1 || v.LowestWriter != 98 {
		t.Errorf("versions %+v", v)
	}
}
