// Command emitter publishes events: from a file, simulated ones, or those that
// applications post to it. See emitter --help. Each subcommand has a file of its name,
// and root.go holds what they share.
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
