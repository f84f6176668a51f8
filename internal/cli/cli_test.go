package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestCounts: one thing has the singular, none and several have the plural.
func TestCounts(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 lines were", 1: "1 line was", 2: "2 lines were"} {
		if got := cli.Plural(n, "line") + " " + cli.Were(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestProgressElsewhere: only a terminal shows a bar.
func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for _, total := range []int64{-1, 0, 3} {
		p := cli.NewProgress(&out, total, "lines", true)
		p.Add(1)
		p.SetTotal(5)
		p.Set(4)
		p.Clear()
		p.Finish()
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", &out)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	b := cli.ReadBuild()
	if b.Version == "" || b.Go != runtime.Version() || !strings.HasPrefix(b.String(), b.Version) || !strings.HasSuffix(b.String(), b.Platform) {
		t.Errorf("%+v prints as %q", b, b)
	}
	long := cli.Build{Version: "v1.2.3", Revision: "0123456789abcdef", Go: "go1.26", Platform: "linux/amd64"}
	if got, want := long.String(), "v1.2.3 0123456789ab go1.26 linux/amd64"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	long.Modified = true
	if got, want := long.String(), "v1.2.3 0123456789ab modified go1.26 linux/amd64"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestColoursNeedATerminalAndConsent: neither a file nor a buffer gets colours, and a
// terminal gets them unless the environment says no.
func TestColoursNeedATerminalAndConsent(t *testing.T) {
	t.Parallel()
	empty := func(string) string { return "" }
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if cli.Color(file, empty) || cli.Color(new(bytes.Buffer), empty) {
		t.Error("what is no terminal gets colours")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer terminal.Close()
	for name, tt := range map[string]struct {
		name, value string
		want        bool
	}{
		"nothing set": {"", "", true},
		"NO_COLOR":    {"NO_COLOR", "1", false},
		"dumb":        {"TERM", "dumb", false},
	} {
		getenv := func(name string) string {
			if name == tt.name {
				return tt.value
			}
			return ""
		}
		if got := cli.Color(terminal, getenv); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}
