package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
)

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := cli.Execute(ctx, root, args)
	if err == nil {
		return cli.ExitOK
	}
	code := cli.ExitUsage
	failed, _ := errors.AsType[*failure](err)
	if failed != nil {
		code = cli.ExitFailure
	}
	if cmd.CommandPath() == "emitter serve" && cli.LogEnd(stderr, err, func(reason string) { logReason(stderr, reason) }) {
		return code
	}
	if failed != nil {
		cli.PrintError(stderr, "emitter", failed)
		return code
	}
	cli.PrintError(stderr, "emitter", err)
	fmt.Fprintf(stderr, "See '%s --help'.\n", cmd.CommandPath())
	return code
}

// newRoot returns the command emitter. A subcommand is a file and its name here.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "emitter",
		Short: "Publish events of model requests to Kafka",
		Long: `emitter publishes finished model requests as events, which evalworker evaluates.

An application in Go does this by itself with the package emitter. For applications in
other languages, serve takes events over HTTP; the rest is for files of events and for
trying things out.

The exit code is 0; 1 when the work failed in whole or in part; 2 when the command line
or a setting is wrong.`,
		Example: `  emitter simulate --stdout --events 3
  emitter send events.ndjson
  emitter serve --brokers kafka:9092`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       cli.ReadBuild().String(), // --version
	}
	root.SetVersionTemplate("emitter {{.Version}}\n")
	root.AddCommand(newSend(), newServe(), newReady(), newSimulate(), newVersion())
	return root
}

// failure is an error of the work itself. Every other error of a command means that
// it was used wrongly.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// asFailure marks an error as one of the work; nil stays nil.
func asFailure(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

// interrupted reports whether an error says that ctx has ended.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}
