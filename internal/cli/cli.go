// Package cli holds what the programs emitter and evalworker share on the command
// line: exit codes, signals, a progress bar, the version of the build, and counts in
// words.
//
//	func main() { cli.Main(func(ctx context.Context) int { return run(ctx, os.Args[1:]) }) }
package cli

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailure = 1 // the work failed in whole or in part, or what it found is bad
	ExitUsage   = 2 // wrong use, or a configuration with faults: nothing was done
)

// Main calls run and exits with the code that it returns. The first SIGINT or
// SIGTERM ends ctx, so that the work can end in good order; a second one ends the
// process.
//
// Nothing that libraries write with the standard log package is printed: Go's HTTP
// transport logs with it what a server sent out of turn, and that may be content.
func Main(run func(ctx context.Context) int) {
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx))
}

// Plural returns n with its noun, such as "1 line" or "2 lines".
func Plural(n int, noun string) string {
	return fmt.Sprintf("%d %s", n, Choose(n, noun, noun+"s"))
}

// Were returns the verb for n things: "was" or "were".
func Were(n int) string { return Choose(n, "was", "were") }

// Choose returns one when n is 1, and several for any other n.
func Choose(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
