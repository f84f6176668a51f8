package main

import (
	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/sidecar"
)

func newReady() *cobra.Command {
	base := "http://" + sidecar.DefaultConfig().Listen
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Ask a running sidecar whether it is ready",
		Long: `Ask "emitter serve" on this machine whether it is ready, for probes of containers, in
which there is no other program to ask with. The exit code is 0 when it takes events and
1 when it does not.`,
		Example: `  emitter ready
  emitter ready --url http://127.0.0.1:8788`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return asFailure(cli.Ready(cmd.Context(), base)) },
	}
	cmd.Flags().StringVar(&base, "url", base, "`URL` of the sidecar")
	return cmd
}
