package spool

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// traps are what another user may put in place of a file; victim is a file elsewhere.
func traps(victim string) map[string]func(path string) error {
	return map[string]func(path string) error{
		"a link":        func(path string) error { return os.Symlink(victim, path) },
		"a second name": func(path string) error { return os.Link(victim, path) },
		"a pipe":        func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":      func(path string) error { return os.Mkdir(path, 0o700) },
		"a device":      func(path string) error { return os.Symlink("/dev/zero", path) },
	}
}

// TestForeignFiles: nothing that another user puts into the folder leads a write to
// another place, is read, or holds the spool.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{lockFile, positionFile, reserveFile, asideFile, damagedDir} {
		for trap := range traps("") {
			if name == damagedDir && trap != "a link" && trap != "a device" {
				continue // it cannot be written to, which is no harm
			}
			t.Run(name+" is "+trap, func(t *testing.T) {
				t.Parallel()
				dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
				path := filepath.Join(dir, name)
				if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), traps(victim)[trap](path)); err != nil {
					t.Fatal(err)
				}
				s, err := Open(Config{Dir: dir}, quiet())
				if err == nil {
					_ = s.Close()
				}
				if !errors.Is(err, errForeign) || !strings.Contains(err.Error(), path) {
					t.Errorf("Open = %v", err)
				}
				if b, err := os.ReadFile(victim); string(b) != "precious" || err != nil {
					t.Errorf("the victim holds %q, %v", b, err)
				}
			})
		}
	}
}

// TestForeignFilesLater: the same under an open spool.
func TestForeignFilesLater(t *testing.T) {
	t.Parallel()
	for trap := range traps("") {
		t.Run(trap, func(t *testing.T) {
			t.Parallel()
			victim := filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes})
			add(t, s, "a")
			for _, name := range []string{lockFile, reserveFile, asideFile, segmentName(1)} {
				path := filepath.Join(s.cfg.Dir, name)
				_ = os.Remove(path)
				if err := traps(victim)[trap](path); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.SetAside([][]byte{[]byte("b")}); !errors.Is(err, errForeign) {
				t.Errorf("SetAside = %v", err)
			}
			if _, err := s.Next(t.Context(), Limits{Records: 1, Bytes: 1}); !errors.Is(err, errForeign) {
				t.Errorf("Next = %v", err)
			}
			s.restock()
			if err := s.withReserve(func() error { return syscall.ENOSPC }); err == nil {
				t.Error("withReserve writes")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if b, err := os.ReadFile(victim); string(b) != "precious" || err != nil {
				t.Errorf("the victim holds %q, %v", b, err)
			}
		})
	}
}

// TestForeignSegments: what is not a segment of the spool's is moved aside, and the others
// are sent.
func TestForeignSegments(t *testing.T) {
	t.Parallel()
	for trap := range traps("") {
		t.Run(trap, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{Dir: t.TempDir(), SegmentBytes: 1})
			add(t, s, "a")
			add(t, s, "b")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			victim := filepath.Join(t.TempDir(), "victim")
			file := segmentFiles(t, s.cfg.Dir)[0]
			if err := errors.Join(os.Rename(file, victim), traps(victim)[trap](file)); err != nil {
				t.Fatal(err)
			}
			s = open(t, s.cfg)
			if got := drain(t, s); !slices.Equal(got, []string{"b"}) {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestModesAreMended: a folder that others could write to, and files that they could
// read.
func TestModesAreMended(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	add(t, s, "a")
	if _, err := s.SetAside([][]byte{[]byte("b")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(s.cfg.Dir, e.Name()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.cfg.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	again, err := Open(s.cfg, slog.New(slog.NewTextHandler(&logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(s.cfg.Dir, e.Name())); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(s.cfg.Dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	if !strings.Contains(logs.String(), "its mode was changed") || !strings.Contains(logs.String(), s.cfg.Dir) {
		t.Errorf("the log: %s", logs.String())
	}
	// A folder that is meant to be shared stays as it is, and is warned of.
	shared := filepath.Join(t.TempDir(), "shared")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777|fs.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	logs.Reset()
	if err := checkFolder(shared, slog.New(slog.NewTextHandler(&logs, nil))); err != nil || !strings.Contains(logs.String(), "give this process one of its own") {
		t.Errorf("%v: %s", err, logs.String())
	}
}
