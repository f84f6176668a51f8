package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/store"
)

// TestConfigFaults: each fault has the path of its key, and none quotes a password,
// wherever it is.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	for name, tt := range map[string]struct {
		change func(*store.Config)
		want   string // the only fault
	}{
		"another database":  {func(c *store.Config) { c.URL = "mysql://user:canary@host/db" }, `url: "mysql://user:[REDACTED]@host/db" is no store; `},
		"no URL":            {func(c *store.Config) { c.URL = "host=db password=canary" }, `url: the text is no store; `},
		"no URL, abridged":  {func(c *store.Config) { c.URL = "host=db user=u pwd=canary" }, `url: the text is no store; `},
		"holds another URL": {func(c *store.Config) { c.URL = "host=db password=canary sslrootcert=file://ca.pem" }, `url: the text is no store; `},
		"no scheme":         {func(c *store.Config) { c.URL = "user:canary@db/evalworker" }, `url: the text is no store; `},
		"one slash":         {func(c *store.Config) { c.URL = "postgres:/user:canary@db/evalworker" }, `url: the text is no store; `},
		"options elsewhere": {func(c *store.Config) { c.URL = "mysql://db/cases?user=u&pwd=canary" }, `url: "mysql://db/cases" is no store; `},
		"a bare word":       {func(c *store.Config) { c.URL = "evalworker.db" }, `url: "evalworker.db" is no store; `},
		"no file":           {func(c *store.Config) { c.URL = "sqlite:" }, `url: "sqlite:" names no file; `},
		"no database":       {func(c *store.Config) { c.URL = "postgres://user:canary@host" }, `url: "postgres://user:[REDACTED]@host" names no database; `},
		"not read":          {func(c *store.Config) { c.URL = "postgres://user:can%ary:canary@host:x/db" }, `url: "postgres://user:[REDACTED]@host:x/db" cannot be read; `},
		"at in a password":  {func(c *store.Config) { c.URL = "postgres://user:canary@canary@ho st/db" }, `url: "postgres://user:[REDACTED]@ho st/db" cannot be read; `},
		"in the options":    {func(c *store.Config) { c.URL = "postgres://host/db?password=canary" }, `url: holds a password among its options; `},
		"unknown TLS":       {func(c *store.Config) { c.URL = "postgres://user:canary@host/db?sslmode=maybe" }, `url: "postgres://user:[REDACTED]@host/db?sslmode=maybe" cannot be used: sslmode is invalid; `},
		"no certificates":   {func(c *store.Config) { c.URL = "postgres://host/db?sslmode=verify-full&sslrootcert=/nowhere" }, "/nowhere"},
		"connections":       {func(c *store.Config) { c.MaxConnections = 0 }, "max_connections: 0 is out of range; "},
		"too many":          {func(c *store.Config) { c.MaxConnections = 1001 }, "max_connections: 1001 is out of range; "},
		"lifetime":          {func(c *store.Config) { c.ConnectionLifetime = 0 }, "connection_lifetime: 0s is no bound; "},
		"negative lifetime": {func(c *store.Config) { c.ConnectionLifetime = -time.Second }, "connection_lifetime: -1s is no bound; "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := store.DefaultConfig()
			tt.change(&cfg)
			faults := cfg.Validate()
			if len(faults) != 1 || !strings.Contains(faults.Error(), tt.want) || strings.Contains(faults.Error(), canary) {
				t.Errorf("faults %v, want one with %q", faults, tt.want)
			}
			if _, err := store.Open(t.Context(), cfg); err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("opened with %v", err)
			}
		})
	}
	for _, url := range []string{
		"postgres://host/db", "postgresql://user:p%40ss@host:5433/db?sslmode=disable&search_path=quality",
		"postgres://a:5432,b:5432/db?target_session_attrs=read-write", "postgres:///db?host=/var/run/postgresql", "sqlite::memory:",
	} {
		cfg := store.DefaultConfig()
		cfg.URL = url
		if faults := cfg.Validate(); len(faults) > 0 {
			t.Errorf("%s: %v", url, faults)
		}
	}
}

func ExampleConfig_Separated() {
	cfg := store.DefaultConfig()
	cfg.URL = "postgres://evalworker:" + "p%40ss" + "@db.internal/evalworker?sslmode=require"
	cfg = cfg.Separated()
	fmt.Println(cfg.URL)
	fmt.Println(cfg.Password, cfg.Password == secret.String("p@ss"))
	// Output:
	// postgres://evalworker@db.internal/evalworker?sslmode=require
	// [REDACTED] true
}

// FuzzURL: no fault of a URL shows its password.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"postgres://u:%s@h/d", "postgres://u:%s@h", "postgres://u:%s@h:x/d?y", "mysql://u:%s@h", "postgres://u:a%s@b@h/d?sslmode=z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, form string) {
		if strings.Count(form, "%s") != 1 || strings.Count(form, "%") != 1 || !strings.HasPrefix(form, "postgres://") {
			t.Skip()
		}
		before, after, _ := strings.Cut(strings.TrimPrefix(form, "postgres://"), "%s")
		if !strings.Contains(before, ":") || strings.ContainsAny(before, "@/?#") || !strings.Contains(after, "@") || strings.Contains(before, "Canary") {
			t.Skip() // no password
		}
		cfg := store.DefaultConfig()
		cfg.URL = fmt.Sprintf(form, "Canary")
		if got := cfg.Validate().Error(); strings.Contains(got, "Canary") {
			t.Errorf("%q: %s", cfg.URL, got)
		}
		if s := cfg.Separated(); len(cfg.Validate()) == 0 && strings.Contains(s.URL, "Canary") {
			t.Errorf("%q separated: %s", cfg.URL, s.URL)
		}
	})
}
