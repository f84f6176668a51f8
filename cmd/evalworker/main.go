// Command evalworker watches the quality of what models answer in production. It
// consumes events of finished requests, checks and judges a sample of them, and
// keeps the failing ones as cases. See evalworker --help. Each subcommand has a
// file of its name, and root.go holds what they share.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/evalworker/evalworker/internal/cli"
)

func main() {
	cli.Main(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
	})
}

// hangups returns the SIGHUPs that arrive until ctx ends. Later ones are ignored:
// by default they would end the process, with its events in flight.
func hangups(ctx context.Context) <-chan os.Signal {
	c := make(chan os.Signal, 1) // a pending one stands for any number
	signal.Notify(c, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Ignore(syscall.SIGHUP) })
	return c
}
