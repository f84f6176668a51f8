// Command emitter publishes events: those of a file, simulated ones, or those that
// applications post to it.
package main

import (
	"context"
	"os"

	"github.com/evalworker/evalworker/internal/cli"
)

func main() {
	cli.Main(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	})
}
