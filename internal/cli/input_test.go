package cli_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestOpenEnds: nobody writes to a pipe, and the wait for its writer ends all the same.
func TestOpenEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := cli.Open(ctx, pipe)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v", err)
	}
	if _, _, err := cli.Open(t.Context(), dir); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a folder: %v", err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("text"), 0o600) }()
	f, size, err := cli.Open(t.Context(), pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if text, err := io.ReadAll(f); string(text) != "text" || size != -1 || err != nil {
		t.Errorf("%q of size %d, %v", text, size, err)
	}
}

func TestInterruptible(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	long := strings.Repeat("0123456789", 20_000)
	if got, err := io.ReadAll(iotest.OneByteReader(cli.Interruptible(ctx, strings.NewReader(long)))); string(got) != long || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken))
	if got, err := io.ReadAll(cli.Interruptible(ctx, r)); string(got) != long || !errors.Is(err, broken) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	silent, w := io.Pipe()
	defer func() { _ = w.Close() }()
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(cli.Interruptible(ctx, silent))
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
