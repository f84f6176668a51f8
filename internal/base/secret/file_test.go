package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/secret"
)

func TestFromFile(t *testing.T) {
	t.Parallel()
	canary := strings.Repeat("canary", 3)
	for name, tt := range map[string]struct {
		content string
		fault   string // empty: the canary is read
	}{
		"alone":               {canary, ""},
		"with a line break":   {canary + "\r\n", ""},
		"with space around":   {"\n  " + canary + "\t\n", ""},
		"empty":               {"\n", "is empty"},
		"two lines":           {canary + "\n" + canary, "holds more than one line"},
		"a byte that is none": {canary + "\x00x", "holds more than one line"},
		"long":                {strings.Repeat(canary, 1000), "is longer than 16384 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := secret.FromFile(path)
			switch {
			case tt.fault == "" && (err != nil || got.Reveal() != canary):
				t.Errorf("%d bytes, %v", len(got.Reveal()), err)
			case tt.fault != "" && (err == nil || err.Error() != path+" "+tt.fault || got != ""):
				t.Errorf("error %v, want %q", err, tt.fault)
			}
		})
	}
	if _, err := secret.FromFile("/nowhere/secret"); err == nil || err.Error() != "/nowhere/secret cannot be read: no such file or directory" {
		t.Error(err)
	}
	if _, err := secret.FromFile(t.TempDir()); err == nil {
		t.Error("a folder is no secret")
	}
}
