package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestEvalInterrupted: the error of an interrupt says how far it came and where
// its cases are.
func TestEvalInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	lines, in := io.Pipe()
	out, reports := io.Pipe()
	var told bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"eval", "--json", "-"}, lines, reports, &told, nil)
		_ = reports.Close()
		ended <- code
	}()
	if _, err := io.WriteString(in, `{"event":"llm_request_completed","request_id":"r1","output":"yes"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if report, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(report, `"r1"`) {
		t.Fatalf("report %q, err = %v", report, err)
	}
	interrupt()
	_ = in.Close()
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if code := <-ended; code != cli.ExitFailure {
		t.Errorf("exit code %d; want %d", code, cli.ExitFailure)
	}
	if want := "stopped after line 1, up to which failing requests are kept in sqlite:evalworker.db"; !strings.Contains(told.String(), want) {
		t.Errorf("told %q; want %q", told.String(), want)
	}
}
