package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSetAside(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), AsideBytes: 40})
	path := filepath.Join(s.cfg.Dir, asideFile)
	if n, err := s.SetAside([][]byte{[]byte("one"), []byte("two")}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := os.WriteFile(path, []byte("one\ntwo\nthr"), 0o600); err != nil { // a crash tore it off
		t.Fatal(err)
	}
	if n, err := s.SetAside([][]byte{[]byte("three"), []byte(strings.Repeat("x", 40)), []byte("four")}); n != 1 || !errors.Is(err, ErrFull) {
		t.Errorf("SetAside beyond the bound = %d, %v", n, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "one\ntwo\nthr\nthree\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func reserved(tb testing.TB, s *Spool) int64 {
	tb.Helper()
	info, err := os.Stat(filepath.Join(s.cfg.Dir, reserveFile))
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// TestTheReserveIsUsedOnAFullDiskAndFilledAgain: a disk that the spool has filled must
// not prevent what cannot be sent from being written elsewhere: everything else waits
// behind it.
func TestTheReserveIsUsedOnAFullDiskAndFilledAgain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes, SegmentBytes: 1})
	add(t, s, "a")
	add(t, s, "b")
	if n := reserved(t, s); n != MinBytes/4 {
		t.Fatalf("%d bytes are reserved", n)
	}
	full := func() error {
		if reserved(t, s) > 0 {
			return &os.PathError{Op: "write", Path: asideFile, Err: syscall.ENOSPC}
		}
		return nil
	}
	if err := s.withReserve(full); err != nil {
		t.Errorf("withReserve = %v", err)
	}
	if n := reserved(t, s); n != 0 {
		t.Errorf("%d bytes are reserved after their use", n)
	}
	if err := s.withReserve(func() error { return syscall.ENOSPC }); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("withReserve without a reserve = %v", err)
	}
	if err := s.Done(next(t, s, Limits{Records: 1, Bytes: 1})); err != nil { // frees a segment
		t.Fatal(err)
	}
	if n := reserved(t, s); n != MinBytes/4 {
		t.Errorf("%d bytes are reserved after a segment was freed", n)
	}
}

// TestWhatIsWrittenElsewhereUsesTheReserve: /dev/full answers every write with ENOSPC.
func TestWhatIsWrittenElsewhereUsesTheReserve(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	for name, c := range map[string]struct {
		file  string
		write func(*Spool) error
	}{
		"set aside": {asideFile, func(s *Spool) error { _, err := s.SetAside([][]byte{[]byte("a")}); return err }},
		"damaged": {filepath.Join(damagedDir, strings.Repeat("0", 19)+"1-16.bin"), func(s *Spool) error {
			_, err := s.keepDamaged(position{1, 16}, []byte("a"))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes})
			s.openAside = func(path string, flag int) (*os.File, error) {
				if path != filepath.Join(s.cfg.Dir, c.file) {
					t.Errorf("opens %s", path)
				}
				return os.OpenFile("/dev/full", flag, 0)
			}
			err := c.write(s)
			if n := reserved(t, s); n != 0 {
				t.Errorf("the reserve was not used: %v", err)
			}
		})
	}
}
