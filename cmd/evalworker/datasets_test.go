package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/store"
)

// TestStoreAtLeavesThePasswordBehind: a store named on the command line has the
// password of its own URL, and never the one of the configuration's server.
func TestStoreAtLeavesThePasswordBehind(t *testing.T) {
	t.Parallel()
	cfg := store.DefaultConfig()
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

// TestExportFollowsLinks: a file is replaced where it is, and links to it stay.
func TestExportFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cases := noCases(t)
	export := func(path string) error {
		t.Helper()
		_, err := exportFile(t.Context(), cases, path, datasets.CSV(), datasets.Filter{})
		return err
	}
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "folder", "target")
	if err := errors.Join(os.Mkdir(filepath.Dir(target), 0o700), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if err := export(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
	for _, path := range []string{target, link} { // a new file, then the same one through the link
		if err := export(path); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(target); err != nil || !strings.HasPrefix(string(text), "case_id,") {
			t.Errorf("through %s: %q, %v", filepath.Base(path), text, err)
		}
		if err := os.WriteFile(target, []byte("of before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if to, err := os.Readlink(link); err != nil || to != target {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "folder", ".export-*")); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// TestExportIntoAPipe: a pipe is written to and not replaced.
func TestExportIntoAPipe(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if _, err := exportFile(t.Context(), noCases(t), fmt.Sprintf("/dev/fd/%d", w.Fd()), datasets.CSV(), datasets.Filter{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || !strings.HasPrefix(string(text), "case_id,") {
		t.Errorf("%q, %v", text, err)
	}
}

func noCases(t *testing.T) *datasets.Cases {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite::memory:"
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return datasets.NewCases(s)
}
