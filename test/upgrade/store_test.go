package upgrade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// database is a store as its file or server has it, beside the programs.
type database struct {
	t      *testing.T
	url    string // as programs take it
	sqlite bool
	db     *sql.DB
	roles  int // made so far
}

// newFile returns a store in a file that does not exist yet.
func newFile(t *testing.T) *database {
	t.Helper()
	path := filepath.Join(sharedFolder(t), "cases.db")
	d := &database{t: t, url: "sqlite:" + path, sqlite: true}
	d.open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(30000)")
	return d
}

// newDatabase returns a store in an empty database of a server.
func newDatabase(t *testing.T, server *containers.Postgres) *database {
	t.Helper()
	url, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := &database{t: t, url: url}
	d.open("pgx", url)
	return d
}

func (d *database) open(driver, name string) {
	d.t.Helper()
	db, err := sql.Open(driver, name)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			d.t.Error(err)
		}
	})
	d.db = db
}

// strings returns the rows of a query, with their columns joined.
func (d *database) strings(query string) (out []string) {
	d.t.Helper()
	rows, err := d.db.QueryContext(d.t.Context(), query)
	if err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	for err == nil && rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.NullString)
		}
		err = rows.Scan(values...)
		var row []string
		for _, v := range values {
			row = append(row, v.(*sql.NullString).String)
		}
		out = append(out, strings.Join(row, " "))
	}
	if err := errors.Join(err, rows.Err()); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// count returns the number that a query returns.
func (d *database) count(query string) (n int) {
	d.t.Helper()
	if err := d.db.QueryRowContext(d.t.Context(), query).Scan(&n); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// version returns the version of the tables.
func (d *database) version() int {
	d.t.Helper()
	return d.count(`SELECT MAX(version_id) FROM goose_db_version`)
}

// schema returns everything that says how the tables are made.
func (d *database) schema() string {
	d.t.Helper()
	queries := []string{
		`SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2`,
		`SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`,
	}
	if d.sqlite {
		queries = []string{`SELECT name, sql FROM sqlite_master ORDER BY 1`}
	}
	var out []string
	for _, q := range append(queries, `SELECT version_id, is_applied FROM goose_db_version ORDER BY id`) {
		out = append(out, d.strings(q)...)
	}
	return strings.Join(out, "\n")
}

// failures returns the failures of the store, each as the id of its event and its
// evaluator.
func (d *database) failures() map[string]bool {
	d.t.Helper()
	out := map[string]bool{}
	for _, row := range d.strings(`SELECT request_id, evaluator FROM occurrences`) {
		out[row] = true
	}
	return out
}

// run runs a command of a program on the store, and returns its output.
func (d *database) run(p program, code int, args ...string) string {
	d.t.Helper()
	return runCommand(d.t, nil, code, p, append(args, "--store", d.url)...)
}

// wants runs a command whose output has to hold a text.
func (d *database) wants(p program, text string, code int, args ...string) {
	d.t.Helper()
	if got := d.run(p, code, args...); !strings.Contains(got, text) {
		d.t.Errorf("%s %s prints\n%s\nwant %q", p.name, strings.Join(args, " "), got, text)
	}
}

func runCommand(t *testing.T, as *syscall.Credential, code int, p program, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.evalworker, args...)
	cmd.Dir = filepath.Dir(p.evalworker)
	cmd.Env = environment(cmd.Dir)
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%s %s: %v, want exit code %d\n%s", p.name, strings.Join(args, " "), err, code, out)
	}
	return string(out)
}

// looks runs what only reads, with the program that is newer or older than the store, and
// asserts that it changes nothing.
func (d *database) looks(p program) {
	d.t.Helper()
	before := d.schema()
	version := fmt.Sprintf("version: %d; this program knows %d", d.version(), p.tables)
	d.wants(p, version, 0, "store", "status")
	d.run(p, 0, "store", "migrate", "--dry-run")
	d.wants(p, "refusal", 0, "datasets", "list")
	d.wants(p, idOf(0)[:3], 0, "datasets", "export")
	if after := d.schema(); after != before {
		d.t.Errorf("%s only looked, and changed the tables\n%s\nto\n%s", p.name, before, after)
	}
}

// serves asserts that who may only read reads the store with each program: a role that
// has SELECT, or a user who may read the file.
func (d *database) serves(all ...program) {
	d.t.Helper()
	before := d.schema()
	reader, as := d.reader()
	for _, p := range all {
		for command, want := range map[string]string{"datasets list": "refusal", "datasets export": idOf(0)[:3], "store status": "\nread by: "} {
			if got := runCommand(d.t, as, 0, p, append(strings.Fields(command), "--store", reader)...); !strings.Contains(got, want) {
				d.t.Errorf("%s %s prints\n%s\nwant %q", p.name, command, got, want)
			}
		}
		const denied = 1
		if got := runCommand(d.t, as, denied, p, "datasets", "prune", "--age", "1h", "--store", reader); !strings.Contains(got, "read-only") && !strings.Contains(got, "a worker INSERT") {
			d.t.Errorf("%s prunes as one who may only read: %s", p.name, got)
		}
	}
	if after := d.schema(); after != before {
		d.t.Errorf("who may only read changed the tables\n%s\nto\n%s", before, after)
	}
}

// reader returns the store's URL for one who may only read, and which user that is.
func (d *database) reader() (string, *syscall.Credential) {
	d.t.Helper()
	if !d.sqlite {
		u, err := url.Parse(d.url)
		if err != nil {
			d.t.Fatal(err)
		}
		d.roles++
		name := fmt.Sprintf("reader%d_%s", d.roles, strings.TrimPrefix(u.Path, "/"))
		for _, q := range []string{`CREATE ROLE ` + name + ` LOGIN PASSWORD 'reads'`, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ` + name} {
			if _, err := d.db.ExecContext(d.t.Context(), q); err != nil {
				d.t.Fatalf("%s: %v", q, err)
			}
		}
		d.t.Cleanup(func() {
			if _, err := d.db.ExecContext(context.Background(), `DROP OWNED BY `+name+`; DROP ROLE `+name); err != nil {
				d.t.Error(err)
			}
		})
		u.User = url.UserPassword(name, "reads")
		return u.String(), nil
	}
	// A copy, as of an archive.
	folder := sharedFolder(d.t)
	path := filepath.Join(folder, "copy.db")
	_, err := d.db.ExecContext(d.t.Context(), `VACUUM INTO '`+path+`'`)
	if err := errors.Join(err, os.Chmod(path, 0o444), os.Chmod(folder, 0o555)); err != nil { //nolint:gosec // others are to read it
		d.t.Fatal(err)
	}
	if os.Getuid() != 0 {
		return "sqlite:" + path, nil
	}
	return "sqlite:" + path, &syscall.Credential{Uid: 65534, Gid: 65534} // no mode stops root
}
