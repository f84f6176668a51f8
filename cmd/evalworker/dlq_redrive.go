package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/kafka/deadletter"
)

func newDLQRedriveCommand(g *globals) *cobra.Command {
	var f letterFlags
	opts := deadletter.DefaultOptions()
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "redrive [PARTITION:OFFSET...]",
		Short: "Publish dead letters to their topic again",
		Long: `Publish dead letters to their topic again, with their key and headers, and mark
them, so that a second run leaves them alone. Name letters, a filter, or --all.

A letter is refused when it was redriven --max-redrives times already, when this
program with this configuration would put it aside again, when it was cut and the
whole is no longer in its topic, and when it died in another topic than the
configured one. The exit code is 1 when a letter was refused. Of --limit only
what is redriven counts.

It stops in good order on SIGINT or SIGTERM. A run that is killed has at most 100
letters published again by the next one; two runs at the same time publish the
same letters twice.`,
		Example: `  evalworker dlq redrive --reason panic --dry-run
  evalworker dlq redrive --since 2h --limit 10
  evalworker dlq redrive 0:12 0:13
  evalworker dlq redrive --all --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := f.filter(args, time.Now())
			faults, _ := errors.AsType[fault.List](err)
			faults = append(faults, flagFaults(opts.Validate())...)
			switch unlimited := filter; {
			case all && len(filter.IDs) > 0:
				faults.Add("--all", "and letters that are named", "want one or the other")
			case !all && err == nil:
				unlimited.Limit = 0 // a limit alone does not say which letters
				if unlimited.All() && f.evaluator == "" {
					faults.Add("", "nothing says which letters", "name some as PARTITION:OFFSET, or use --reason, --evaluator, --key, --since, --until or --all")
				}
			}
			if err := faults.Err(); err != nil {
				return err
			}
			return runRedrive(cmd, g, &f, filter, opts, asJSON)
		},
	}
	f.add(cmd, g)
	cmd.Flags().BoolVar(&all, "all", false, "every letter that is left by the other options")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only print what would be done")
	cmd.Flags().IntVar(&opts.MaxRedrives, "max-redrives", opts.MaxRedrives, "refuse what was redriven so many times already")
	cmd.Flags().BoolVar(&opts.Force, "force", false, "also what this program would put aside again, for workers that are newer or configured otherwise")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a letter")
	return cmd
}

// flagFaults turns the paths of faults into flags.
func flagFaults(faults fault.List) fault.List {
	for i := range faults {
		faults[i].Path = "--" + faults[i].Path
	}
	return faults
}

// refusedError says how many letters were refused. They have been printed.
type refusedError struct{ letters int }

func (r *refusedError) Error() string {
	return fmt.Sprintf("%s %s refused", cli.Plural(r.letters, "letter"), cli.Were(r.letters))
}

func runRedrive(cmd *cobra.Command, g *globals, f *letterFlags, filter deadletter.Filter, opts deadletter.Options, asJSON bool) error {
	q, cfg, err := openQueue(g)
	if err != nil {
		return err
	}
	defer q.Close()
	if err := f.matchEvaluator(&filter, cfg); err != nil {
		return err
	}
	bar, step := letterProgress(g, "offsets")
	opts.Progress = step
	p := &redrivePrinter{out: g.stdout, dry: opts.DryRun, json: asJSON, refusals: make(map[deadletter.SkipReason]int)}
	totals, err := q.Redrive(cmd.Context(), filter, opts, func(r deadletter.Result) error {
		bar.Clear()
		return p.add(r)
	})
	bar.Finish()
	if errors.Is(err, deadletter.ErrEmpty) {
		return printEmpty(g, err)
	}
	if !asJSON {
		err = errors.Join(err, p.end(totals))
	}
	if err != nil {
		return err
	}
	if totals.Skipped > 0 {
		return &refusedError{totals.Skipped}
	}
	return nil
}

// redrivePrinter prints the result for each letter as it comes.
type redrivePrinter struct {
	out       io.Writer
	dry, json bool
	refusals  map[deadletter.SkipReason]int
}

// maxNamed bounds the letters that are printed for one reason. --json prints all.
const maxNamed = 20

func (p *redrivePrinter) add(r deadletter.Result) error {
	if p.json {
		return json.NewEncoder(p.out).Encode(struct {
			ID     string                `json:"id"`
			Action deadletter.Action     `json:"action"`
			DryRun bool                  `json:"dry_run,omitempty"`
			Why    deadletter.SkipReason `json:"why,omitempty"`
			Detail string                `json:"detail,omitempty"`
		}{r.Letter.ID.String(), r.Action, p.dry, r.Skip, r.Detail})
	}
	switch {
	case r.Action == deadletter.ActionSkipped:
		p.refusals[r.Skip]++
		switch n := p.refusals[r.Skip]; {
		case n <= maxNamed:
			_, err := fmt.Fprintf(p.out, "%v refused: %s\n", r.Letter.ID, printable(r.Detail))
			return err
		case n == maxNamed+1:
			_, err := fmt.Fprintf(p.out, "more are refused for the same reason (%s); --json names them\n", r.Skip)
			return err
		}
	case p.dry && r.Action == deadletter.ActionRedriven:
		_, err := fmt.Fprintf(p.out, "%v would go to %s/%d, redrive %d\n", r.Letter.ID, r.Letter.Origin.Topic, r.Letter.Origin.Partition, r.Letter.Redrives+1)
		return err
	}
	return nil
}

// end prints the totals.
func (p *redrivePrinter) end(t deadletter.Totals) error {
	verb := "redriven"
	if p.dry {
		verb = "would be redriven"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, %d refused", cli.Plural(t.Redriven, "letter"), verb, t.Skipped)
	if t.Duplicates > 0 {
		fmt.Fprintf(&b, ", %d of the same messages left out", t.Duplicates)
	}
	if t.AlreadyRedriven > 0 {
		fmt.Fprintf(&b, "; %d redriven before", t.AlreadyRedriven)
	}
	_, err := fmt.Fprintln(p.out, b.String())
	return err
}
