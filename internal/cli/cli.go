// Package cli holds what the programs emitter and evalworker share on the command
// line: exit codes, signals, errors of wrong use, flags with a closed set of values,
// completion, words of a shell, a progress bar, the version of the build, the question
// whether a server is ready, and counts in words.
//
//	func main() { cli.Main(func(ctx context.Context) int { return run(ctx, os.Args[1:]) }) }
//
// [Execute] runs a command line of cobra.
package cli

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
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
// process, after what [AtSecondSignal] wants to say.
//
// Nothing that libraries write with the standard log package is printed: Go's HTTP
// transport logs with it what a server sent out of turn, and that may be content.
func Main(run func(ctx context.Context) int) {
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var said lastWords
	context.AfterFunc(ctx, func() {
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		stop()
		sig := <-again
		said.say()
		code := ExitFailure
		if number, ok := sig.(syscall.Signal); ok {
			code = 128 + int(number) // as shells report a process that a signal has ended
		}
		os.Exit(code)
	})
	os.Exit(run(context.WithValue(ctx, lastWordsKey{}, &said)))
}

// lastWords is what is said when a second signal ends the process.
type lastWords struct {
	mu   sync.Mutex
	text func() // guarded by mu; nil: nothing
}

type lastWordsKey struct{}

func (l *lastWords) say() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != nil {
		l.text()
	}
}

// AtSecondSignal has say called when a second signal ends the process of [Main], whose
// ctx it is. It must be quick.
func AtSecondSignal(ctx context.Context, say func()) {
	if l, ok := ctx.Value(lastWordsKey{}).(*lastWords); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.text = say
	}
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
