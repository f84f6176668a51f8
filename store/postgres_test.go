package store_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/store"
)

// TestErrorsOfConnectionsAreAlike: an error is one line, and the same for each connection
// that ends in the same way.
func TestErrorsOfConnectionsAreAlike(t *testing.T) {
	t.Parallel()
	server := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5432}
	for _, port := range []int{40001, 40002} {
		err := &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv6loopback, Port: port}, Addr: server, Err: errors.New("connection reset\n by peer")}
		if got := store.SingleLine(err).Error(); got != "read tcp 10.0.0.1:5432: connection reset by peer" {
			t.Errorf("%q", got)
		}
	}
}

// TestPostgresErrors: an error that a person has to fix is reported at once and on
// one line; a temporary one is ErrUnavailable. No error has the password.
func TestPostgresErrors(t *testing.T) {
	t.Parallel()
	good := onPostgres(t)
	const nobody = "127.0.0.1:1" // on a port that was closed another test may listen
	password := "canary" + "/" + "word"
	for name, tt := range map[string]struct {
		change  func(*url.URL)
		passes  bool
		mention string
	}{
		"wrong password":   {func(u *url.URL) { u.User = url.UserPassword("postgres", password) }, false, "refuses the user or its password"},
		"unknown user":     {func(u *url.URL) { u.User = url.UserPassword("nobody", password) }, false, "refuses the user or its password"},
		"unknown database": {func(u *url.URL) { u.Path = "/nowhere" }, false, "no such database"},
		"unknown schema":   {func(u *url.URL) { u.RawQuery += "&search_path=nowhere" }, false, "make it the owner of the database"},
		"nobody there":     {func(u *url.URL) { u.Host = nobody }, true, "connection refused"},
		"unknown host":     {func(u *url.URL) { u.Host = "nowhere.invalid" }, true, "nowhere.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			u, err := url.Parse(good.URL)
			if err != nil {
				t.Fatal(err)
			}
			own, _ := u.User.Password()
			tt.change(u)
			cfg.URL = u.String()
			_, err = store.Open(t.Context(), cfg)
			if err == nil || errors.Is(err, store.ErrUnavailable) != tt.passes || !strings.Contains(err.Error(), tt.mention) {
				t.Fatalf("error %v; want %q, to pass by itself: %v", err, tt.mention, tt.passes)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), own) {
				t.Errorf("more than one line, or a password: %v", err)
			}
		})
	}
}

// TestPostgresPassword: the password in the URL, and the same one in its own key.
func TestPostgresPassword(t *testing.T) {
	t.Parallel()
	inURL := onPostgres(t)
	if err := open(t, inURL).Close(); err != nil {
		t.Fatal(err)
	}
	beside := inURL.Separated()
	if strings.Contains(beside.URL, ":"+beside.Password.Reveal()+"@") || beside.Password == "" {
		t.Errorf("separated: %s", beside.URL)
	}
	open(t, beside)
}

// TestPostgresIsEmpty: reading creates nothing.
func TestPostgresIsEmpty(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	if _, err := store.OpenExisting(t.Context(), cfg); !errors.Is(err, store.ErrNoStore) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("an empty database: %v", err)
	}
	var tables int
	if err := raw(t, "pgx", cfg.URL).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("reading made %d tables, %v", tables, err)
	}
	open(t, cfg)
	s, err := store.OpenExisting(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPostgresTrouble: an error names what a person has to look for.
func TestPostgresTrouble(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options string
		begin   func(t *testing.T, db *sql.DB)
		mention string
	}{
		"locked": {"", func(t *testing.T, db *sql.DB) {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), `LOCK TABLE cases IN ACCESS EXCLUSIVE MODE`); err != nil {
				t.Fatal(err)
			}
		}, "another session holds a lock"},
		"no table": {"", func(t *testing.T, db *sql.DB) { execute(t, db, `ALTER TABLE cases RENAME TO gone`) }, "a table of the store is gone"},
		"only standbys": {"&target_session_attrs=read-write", func(t *testing.T, db *sql.DB) {
			execute(t, db, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$`,
				`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'evalworker'`)
		}, "none takes writes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := onPostgres(t)
			db := raw(t, "pgx", cfg.URL)
			cfg.Timeout = 5 * time.Second
			cfg.URL += tt.options
			s := open(t, cfg)
			tt.begin(t, db)
			if err := s.Write(t.Context(), insert("a")); err == nil || !strings.Contains(err.Error(), tt.mention) || strings.Contains(err.Error(), "\n") {
				t.Errorf("written: %v; want %q on one line", err, tt.mention)
			}
		})
	}
}

// TestPostgresOneLine: an error stays on one line when the roll-back fails too.
func TestPostgresOneLine(t *testing.T) {
	t.Parallel()
	s := open(t, onPostgres(t))
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "the server is stopping or starting") || strings.Contains(err.Error(), "\n") {
		t.Errorf("written: %q", err)
	}
}
