package main

import (
	"testing"

	"github.com/evalworker/evalworker/datasets"
)

// TestStoreAtLeavesThePasswordBehind: a store that is named in the command line gets
// the password of its own URL, and never the one of the configuration's server.
func TestStoreAtLeavesThePasswordBehind(t *testing.T) {
	t.Parallel()
	cfg := datasets.DefaultConfig()
	cfg.URL, cfg.Password, cfg.PasswordFile = "postgres://evalworker@db.internal/evalworker", "of-the-configuration", "/run/secrets/db"
	for url, want := range map[string]string{
		"":                                     "of-the-configuration",
		"postgres://me:mine@elsewhere/scratch": "mine",
		"postgres://me@elsewhere/scratch":      "",
		"sqlite:look.db":                       "",
	} {
		got, err := storeAt(cfg, url)
		if err != nil || got.Password.Reveal() != want || (got.PasswordFile == "") != (url != "") {
			t.Errorf("--store %q: password %q of file %q, %v; want %q", url, got.Password.Reveal(), got.PasswordFile, err, want)
		}
	}
}
