package main

import (
	"context"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// TestHangupEndsNoDrain: the worker drains after ctx has ended, and a SIGHUP that
// comes then, as from a script that renews a key, must not cut it off. It does not
// run in parallel, because signals belong to the process.
func TestHangupEndsNoDrain(t *testing.T) {
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
	ctx, cancel := context.WithCancel(t.Context())
	hangups(ctx)
	if signal.Ignored(syscall.SIGHUP) {
		t.Error("SIGHUP is ignored before the end")
	}
	cancel()
	for deadline := time.Now().Add(10 * time.Second); !signal.Ignored(syscall.SIGHUP); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("SIGHUP is not ignored after the end")
		}
	}
}
