package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
)

func newReadyCommand(g *globals) *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Ask a running worker whether it is ready",
		Long: `Ask the worker on this machine whether it is ready, for probes of containers, in
which there is no other program to ask with. The address is health.listen of the
configuration. The exit code is 0 when the worker is ready and 1 when it is not.

Only health.listen is looked at: a worker goes on with its last good configuration
while the file has faults, and its probe does so too.`,
		Example: `  evalworker ready
  evalworker ready --url http://127.0.0.1:8787`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if base == "" {
				if base, err = g.probeURL(cmd.Context()); err != nil {
					return err
				}
			}
			return cli.Ready(cmd.Context(), base)
		},
	}
	cmd.Flags().StringVar(&base, "url", "", "`URL` of the health server (default: from health.listen)")
	return cmd
}

// probeURL returns the address of the health server that the configuration names. Its error
// does not wrap the faults of the configuration, which would end the command with 2: Docker
// reserves all exit codes of a probe but 0 and 1.
func (g *globals) probeURL(ctx context.Context) (string, error) {
	listen, err := config.HealthListen(g.file(), g.environ)
	if err != nil {
		return "", fmt.Errorf("no address to ask: %s; name the server with --url", err) //nolint:errorlint // see above
	}
	if listen == "" {
		return "", errors.New("health.listen is empty, so there is no server to ask")
	}
	base, err := cli.ProbeURL(ctx, listen)
	if err != nil {
		return "", fmt.Errorf("health.listen: %w; name the server with --url", err)
	}
	return base, nil
}
