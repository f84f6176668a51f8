package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
)

func newVersionCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  evalworker version
  evalworker version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := cli.ReadBuild()
			if asJSON {
				return json.NewEncoder(g.stdout).Encode(b)
			}
			_, err := fmt.Fprintln(g.stdout, "evalworker", b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
