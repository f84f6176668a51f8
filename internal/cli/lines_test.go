package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestLines: one line after each interval, none before the first is over and none after
// the end.
func TestLines(t *testing.T) {
	t.Parallel()
	for lasts, want := range map[time.Duration]string{
		9 * time.Second:  "",
		35 * time.Second: "line 1\nline 2\nline 3\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			n := 0
			stop := cli.StartLines(&out, 10*time.Second, func() string { n++; return fmt.Sprint("line ", n) })
			<-time.After(lasts)
			stop()
			stop()
			<-time.After(time.Minute)
			if out.String() != want {
				t.Errorf("after %v: %q, want %q", lasts, out.String(), want)
			}
		})
	}
}

// TestIsTerminal: neither a buffer nor a file is one.
func TestIsTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	if cli.IsTerminal(new(strings.Builder)) || cli.IsTerminal(null) {
		t.Error("a terminal that is none")
	}
}

// TestShared: lines of several goroutines stay whole.
func TestShared(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := cli.Shared(&out)
	done := make(chan struct{})
	const lines = 100
	for range 4 {
		go func() {
			for range lines {
				fmt.Fprintln(w, "a whole line")
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	if got := strings.Count(out.String(), "a whole line\n"); got != 4*lines || out.Len() != got*len("a whole line\n") {
		t.Errorf("%d lines in %d bytes", got, out.Len())
	}
}
