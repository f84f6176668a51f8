package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  emitter version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "emitter", cli.ReadBuild())
			return asFailure(err)
		},
	}
}
