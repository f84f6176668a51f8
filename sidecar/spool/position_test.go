package spool

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAPositionThatIsTornLeavesTheOneBefore: a write of the position that a crash tore
// leaves the one before it.
func TestAPositionThatIsTornLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), positionFile)
	b, pos, err := openBookmark(path)
	if err != nil || pos != (position{}) {
		t.Fatal(pos, err)
	}
	for i := range int64(5) {
		before, now := position{7, 100 * i}, position{7, 100 * (i + 1)}
		if i == 0 {
			before = position{}
		}
		if err := b.set(now); err != nil {
			t.Fatal(err)
		}
		if pos := readPosition(t, path); pos != now {
			t.Errorf("read %+v, want %+v", pos, now)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		torn := append([]byte{}, whole...)
		torn[int(b.turn%2)*slotBytes+20] ^= 1
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if pos := readPosition(t, path); pos != before {
			t.Errorf("read %+v of a torn one, want %+v", pos, before)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
}

func readPosition(t *testing.T, path string) position {
	t.Helper()
	b, pos, err := openBookmark(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	return pos
}
