package store_test

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

// TestPostgresTLS: a server that accepts encrypted connections only, with a certificate
// that is verified, and the errors of other connections.
func TestPostgresTLS(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	server, err := containers.StartPostgres(t.Context())
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	ours, theirs := certs.New(t), certs.New(t)
	own := ours.Issue(t, time.Hour, "127.0.0.1")
	if err := server.Encrypt(t.Context(), contentOf(t, own.CertFile), contentOf(t, own.KeyFile)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		query   url.Values
		host    string
		mention string // of the error; "": it opens
	}{
		"verified":          {url.Values{"sslmode": {"verify-full"}, "sslrootcert": {ours.File}}, "", ""},
		"not verified":      {url.Values{"sslmode": {"require"}}, "", ""},
		"unencrypted":       {url.Values{"sslmode": {"disable"}}, "", "no encryption"},
		"another authority": {url.Values{"sslmode": {"verify-full"}, "sslrootcert": {theirs.File}}, "", "not trusted: see sslrootcert and the host in store.url"},
		"of another host":   {url.Values{"sslmode": {"verify-full"}, "sslrootcert": {ours.File}}, "localhost", "not trusted: see sslrootcert and the host in store.url"},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(server.URL())
			if err != nil {
				t.Fatal(err)
			}
			own, _ := u.User.Password()
			u.RawQuery = tt.query.Encode()
			if tt.host != "" {
				u.Host = tt.host + ":" + u.Port()
			}
			cfg := store.DefaultConfig()
			cfg.URL = u.String()
			s, err := store.Open(t.Context(), cfg)
			if err == nil {
				err = s.Close()
			}
			if (err == nil) != (tt.mention == "") || err != nil && !strings.Contains(err.Error(), tt.mention) {
				t.Fatalf("error %v; want %q", err, tt.mention)
			}
			if err != nil && (errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), own)) {
				t.Errorf("waited for, more than one line, or with the password: %v", err)
			}
		})
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
