package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/store"
)

func (d *datasetsCommand) prune() *cobra.Command {
	var keep store.Keep
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete old failures and the cases that have no others",
		Long: `Delete old failures, their exemplars, and the cases that were not seen since. A case
that was confirmed or dismissed stays, with its exemplars. What is kept is what the
configuration's store.keep says, unless --age or --rows is given; workers delete the
same by themselves every hour. The age of a failure is that of its event, also when that
was evaluated later.

A deleted failure counts again if its event is evaluated once more.`,
		Example: `  evalworker datasets prune --dry-run
  evalworker datasets prune --age 2160h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := d.g.storeConfig(d.store)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("age") || cmd.Flags().Changed("rows") {
				cfg.Keep = keep
			}
			var faults fault.List
			for _, f := range cfg.Validate() {
				if f.Path == "keep.age" || f.Path == "keep.rows" {
					f.Path = "--" + f.Path[len("keep."):]
					faults = append(faults, f)
				}
			}
			if cfg.Keep == (store.Keep{}) {
				faults.Add("", "nothing says what is kept", "use --age or --rows, or set store.keep")
			}
			if len(faults) > 0 {
				return faults
			}
			c := &storeCommand{g: d.g, store: d.store}
			return c.read(cmd.Context(), func(_ store.Config, s *store.Store) error {
				before, err := s.Cutoff(cmd.Context(), cfg.Keep, time.Now())
				if err != nil {
					return err
				}
				work, would := s.Prune, ""
				if dryRun {
					work, would = s.Prunable, "would be "
				}
				deleted, err := work(cmd.Context(), before)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(d.g.stdout, "%sdeleted, of before %s: %s, %s, %s\n", would, before.UTC().Format(time.RFC3339),
					cli.Plural(deleted["occurrences"], "failure"), cli.Plural(deleted["exemplars"], "exemplar"), cli.Plural(deleted["cases"], "case"))
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&keep.Age, "age", 0, "keep failures whose events are not older than this, such as 2160h")
	cmd.Flags().IntVar(&keep.Rows, "rows", 0, "keep so many failures, the latest ones")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only count what would be deleted")
	return cmd
}
