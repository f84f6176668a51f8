package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/store"
)

func newStoreCommand(g *globals) *cobra.Command {
	c := &storeCommand{g: g}
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look at the store's tables, bring them up to date or take them back",
		Long: `Look at the tables in which cases are kept, bring them up to date, or take them back
for an older program. A worker and the command eval bring them up to date by
themselves; commands that read never do.`,
		Example: `  evalworker store status
  evalworker store migrate --dry-run
  evalworker store rollback`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	addStoreFlag(cmd, &c.store)
	cmd.AddCommand(c.status(), c.migrate(), c.rollback())
	return cmd
}

// storeCommand holds what the subcommands of store share.
type storeCommand struct {
	g     *globals
	store string // --store; it may hold a password
}

// addStoreFlag adds --store to a command and those below it.
func addStoreFlag(cmd *cobra.Command, p *string) {
	cmd.PersistentFlags().StringVar(p, "store", "", "where cases are kept, such as sqlite:evalworker.db or postgres://USER@HOST/DATABASE (default: the configuration's store)")
	completeStore(cmd)
}

// storeConfig returns the configuration of the store, or of the one that --store names,
// and the whole configuration, which is nil when there is a fault in it and --store names
// all that is needed.
func (g *globals) storeConfig(url string) (store.Config, *config.Config, error) {
	cfg := store.DefaultConfig()
	all, err := g.load()
	switch {
	case err == nil:
		cfg = all.Store
	case url == "":
		return cfg, nil, err
	default:
		all = nil
	}
	cfg, err = storeAt(cfg, url)
	cfg.Build = cli.ReadBuild().Version
	return cfg, all, err
}

// storeAt returns cfg with the store that --store names, if it names one. The
// password of cfg is removed, because it is not for another server. The error is of
// type fault.List.
func storeAt(cfg store.Config, url string) (store.Config, error) {
	if url == "" {
		return cfg, nil
	}
	cfg.URL, cfg.Password, cfg.PasswordFile = url, "", ""
	faults := cfg.Validate()
	for i := range faults {
		faults[i].Path = "--store"
	}
	return cfg.Separated(), faults.Err()
}

// read opens the store as it is and calls fn with it.
func (c *storeCommand) read(ctx context.Context, fn func(store.Config, *store.Store) error) (err error) {
	cfg, _, err := c.g.storeConfig(c.store)
	if err != nil {
		return err
	}
	s, err := store.OpenExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return fn(cfg, s)
}

func (c *storeCommand) status() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the version of the tables, who may use them, and their size",
		Long: `Show the version of the tables and of this program, which programs may read and write
them, what this program would change, how large they are, and who has them open.`,
		Example: `  evalworker store status
  evalworker store status --store sqlite:evalworker.db --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := c.readStatus(cmd.Context())
			switch {
			case err != nil:
				return err
			case asJSON:
				return json.NewEncoder(c.g.stdout).Encode(st)
			}
			return c.printStatus(st)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// readStatus returns the status of the store; only its versions when this program may not
// read the rest.
func (c *storeCommand) readStatus(ctx context.Context) (st store.Status, err error) {
	err = c.read(ctx, func(_ store.Config, s *store.Store) (err error) {
		st, err = s.Status(ctx)
		return err
	})
	if old, ok := errors.AsType[*store.VersionError](err); ok {
		cfg, _, err := c.g.storeConfig(c.store)
		return store.Status{URL: cfg.URL, Versions: old.Versions}, err
	}
	return st, err
}

func (c *storeCommand) printStatus(st store.Status) error {
	var b strings.Builder
	fmt.Fprintf(&b, "store %s\n", st.URL)
	fmt.Fprintf(&b, "version: %d; this program knows %d\n", st.Store, st.Program)
	if c := st.Changed; c != nil {
		fmt.Fprintf(&b, "changed: from version %d to %d by %s\n", c.From, st.Store, c)
	}
	fmt.Fprintf(&b, "read by: programs that know version %d or a newer one%s\n", st.LowestReader, unless(st.Program >= st.LowestReader, ", which this one does not"))
	fmt.Fprintf(&b, "written by: programs that know version %d or a newer one%s\n", st.LowestWriter, unless(st.Program >= st.LowestWriter, ", which this one does not"))
	if st.Program < st.LowestReader {
		_, err := fmt.Fprint(c.g.stdout, printable(b.String()))
		return err
	}
	fmt.Fprintf(&b, "pending: %s\n", orNone(strings.Join(st.Pending, ", ")))
	fmt.Fprintf(&b, "size: %s\n", size(st.Bytes))
	var rows []string
	for _, t := range st.Tables {
		rows = append(rows, fmt.Sprintf("%s %d", t.Name, t.Rows))
	}
	fmt.Fprintf(&b, "rows: %s\n", strings.Join(rows, ", "))
	fmt.Fprintf(&b, "in use by: %s\n", orNone(strings.Join(st.Users, ", ")))
	_, err := fmt.Fprint(c.g.stdout, printable(b.String()))
	return err
}

// unless returns a text when a condition does not hold.
func unless(holds bool, text string) string {
	if holds {
		return ""
	}
	return text
}

// size returns a number of bytes for a person.
func size(bytes int64) string {
	const kib = 1 << 10
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(bytes), 0
	for ; value >= kib && unit < len(units)-1; unit++ {
		value /= kib
	}
	return strconv.FormatFloat(value, 'f', min(unit, 1), 64) + " " + units[unit]
}

func (c *storeCommand) migrate() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the tables up to date",
		Long: `Bring the tables up to date, as the next worker of this version would, or make them.
Older workers that run go on; which of them may start afterwards, the command store
status says.

A worker whose role may change rows but no tables needs this once for each version, by
the owner of the tables.`,
		Example: `  evalworker store migrate --dry-run
  evalworker store migrate --store postgres://owner@db/evalworker`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				return c.planMigration(cmd.Context())
			}
			cfg, _, err := c.g.storeConfig(c.store)
			if err != nil {
				return err
			}
			s, err := store.Open(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			from, to := s.Migrated()
			text := fmt.Sprintf("store %s: migrated from version %d to %d", cfg.URL, from, to)
			switch from {
			case to:
				text = fmt.Sprintf("store %s: nothing to do: its tables are of version %d", cfg.URL, to)
			case 0:
				text = fmt.Sprintf("store %s: made, with version %d", cfg.URL, to)
			}
			_, err = fmt.Fprintln(c.g.stdout, text)
			return errors.Join(err, s.Close())
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only print what would be done")
	return cmd
}

// planMigration prints what migrate would do.
func (c *storeCommand) planMigration(ctx context.Context) error {
	err := c.read(ctx, func(cfg store.Config, s *store.Store) error {
		pending, err := s.Pending()
		if err != nil {
			return err
		}
		v := s.Versions()
		text := fmt.Sprintf("store %s: nothing to do: its tables are of version %d", cfg.URL, v.Store)
		if len(pending) > 0 {
			text = fmt.Sprintf("store %s: would be migrated from version %d to %d: %s", cfg.URL, v.Store, v.Program, strings.Join(pending, ", "))
		}
		_, err = fmt.Fprintln(c.g.stdout, text)
		return err
	})
	if errors.Is(err, store.ErrNoStore) {
		_, err = fmt.Fprintln(c.g.stdout, "there is no store yet: it would be made")
	}
	return err
}

func (c *storeCommand) rollback() *cobra.Command {
	var to int
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Take the tables back to an older version, for an older program",
		Long: `Take the tables back to an older version, for a program that may not use the present
one. Stop the workers of this version first: one that starts again brings the tables
up to date again. When that would lose something, it says what and does nothing
without --yes. Make a backup first.`,
		Example: `  evalworker store rollback --dry-run
  evalworker store rollback --to 1 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.read(cmd.Context(), func(cfg store.Config, s *store.Store) error {
				from := s.Versions().Store
				target := to
				if !cmd.Flags().Changed("to") {
					target = from - 1
				}
				lost, err := s.Loses(cmd.Context(), target)
				if err != nil {
					return err
				}
				loses := "loses nothing"
				if len(lost) > 0 {
					loses = "loses " + strings.Join(lost, ", ")
				}
				if dryRun {
					_, err := fmt.Fprintf(c.g.stdout, "store %s: would be taken back from version %d to %d, which %s\n", cfg.URL, from, target, loses)
					return err
				}
				if len(lost) > 0 && !yes {
					return fault.List{{Path: "--yes", Problem: "missing, because version " + strconv.Itoa(target) + " " + loses, Expected: "give it if that may be lost"}}
				}
				if err := s.Claim(); err != nil { // no worker may have a file open
					return err
				}
				if err := s.Rollback(cmd.Context(), target); err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.g.stdout, "store %s: taken back from version %d to %d, which %s\n", cfg.URL, from, target, strings.Replace(loses, "loses", "lost", 1))
				return err
			})
		},
	}
	cmd.Flags().IntVar(&to, "to", 0, "version of the tables (default: the one before)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only print what would be done")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it even when something is lost")
	return cmd
}
