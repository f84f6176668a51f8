package store_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

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
