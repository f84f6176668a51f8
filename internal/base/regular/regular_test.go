package regular_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evalworker/evalworker/internal/base/regular"
)

// TestRegularFilesOnly: what is not a regular file is named, and nothing waits for it.
func TestRegularFilesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for link, target := range map[string]string{"link": "file", "to pipe": "pipe", "to device": "/dev/zero", "loop": "loop"} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for name, want := range map[string]string{
		"file": "", "link": "", "folder": "it is a folder, not a regular file", "pipe": "it is a named pipe", "to pipe": "it is a named pipe",
		"socket": "it is a socket", "to device": "it is a device", "loop": "too many", "none": "no such file",
	} {
		data, err := regular.Read(at(name), 4)
		check(t, name, data, err, want)
		if name == "to device" {
			want = "escapes" // no link leads out of the folder
		}
		data, err = regular.ReadIn(root, name, 4)
		check(t, "in the folder: "+name, data, err, want)
	}
}

func check(t *testing.T, name string, data []byte, err error, want string) {
	t.Helper()
	switch {
	case want == "" && (err != nil || string(data) != "cont"):
		t.Errorf("%s: %q, %v", name, data, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}
