package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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
