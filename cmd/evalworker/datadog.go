package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/datadog"
)

func newDatadogCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "datadog",
		Short: "Put monitors and dashboards into Datadog, and keep them current",
		Long: `Put the monitors and dashboards that come with evalworker into Datadog, and keep
them current. docs/datadog.md leads from no dashboard to a page in the night.

What differs between teams is in the section datadog.monitors of the configuration:
who is notified, and thresholds by the name of the monitor. Flags stand over it.

diff and apply read the keys from DD_API_KEY and DD_APP_KEY, and the site from
DD_SITE (datadoghq.com when it is not set). No key is taken from a flag, or printed.`,
		Example: `  evalworker datadog render --env prod --out rendered
  evalworker datadog diff --env prod
  evalworker datadog apply --env prod --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDatadogRenderCommand(g), newDatadogDiffCommand(g), newDatadogApplyCommand(g))
	return cmd
}

func newDatadogDiffCommand(g *globals) *cobra.Command {
	var f datadogFlags
	var prune, asJSON bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Say what apply would change in Datadog",
		Long: `Compare the monitors and dashboards with what is in Datadog, field by field. Nothing
is changed. Only what evalworker sets is compared: Datadog adds defaults, ids and
times, and writes tags in another order and 3 as 3.0.

A line begins with + for what would be made, ~ for what would change, - for what
--prune would delete, and ? for what is only shown: an orphan, which evalworker has
made and no longer wants, or a copy that somebody made of one of its objects.

The exit code is 0 when apply would change nothing, and 1 when it would, or when
Datadog could not be read.`,
		Example: `  evalworker datadog diff --env prod
  evalworker datadog diff --env prod --threshold provider-errors=5 --only monitors
  evalworker datadog diff --env prod --json | jq -r '.changes[].name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := f.plan(cmd.Context(), g, prune)
			if err != nil {
				return err
			}
			if asJSON {
				err = plan.json(g)
			} else {
				err = plan.print(g)
			}
			if err == nil && plan.Differs() {
				err = fmt.Errorf("Datadog is not as the configuration says: %s", changes(plan.Plan)) //nolint:staticcheck // a name
			}
			return err
		},
	}
	f.add(cmd, g)
	cmd.Flags().BoolVar(&prune, "prune", false, "count orphans as to be deleted, as apply --prune does")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func newDatadogApplyCommand(g *globals) *cobra.Command {
	var f datadogFlags
	var prune, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the monitors and dashboards in Datadog, or change them to what is wanted",
		Long: `Make the monitors and dashboards in Datadog, or change those that differ. Without
--yes it prints what it would do, as diff does, and does nothing.

Datadog checks every monitor that is new or changes first, also without --yes; when
it refuses one, nothing is changed. A second run changes nothing. A run that ends
half way says how far it came, and the next one does the rest.

A monitor is evalworker's when it has the tags managed_by:evalworker, evalworker_id
and env; a dashboard when the last line of its description is its evalworker_id.
Nothing else is touched, even under the same name. Orphans, which evalworker has made
and no longer wants, stay unless --prune is given; without it no command deletes.

The exit code is 0, and 1 when something was refused or failed.`,
		Example: `  evalworker datadog apply --env prod
  evalworker datadog apply --env prod --yes
  evalworker datadog apply --env staging --notify @slack-llm-staging --yes --prune`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := f.plan(cmd.Context(), g, prune)
			if err != nil {
				return err
			}
			return plan.apply(cmd.Context(), g, yes, asJSON)
		},
	}
	f.add(cmd, g)
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, the plan is printed and nothing is done")
	cmd.Flags().BoolVar(&prune, "prune", false, "delete orphans of this environment: what evalworker has made and no longer wants")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object; done is true for each change that was made")
	return cmd
}

// datadogPlan is a plan as the commands print it.
type datadogPlan struct {
	*datadog.Plan
	omitted []datadog.Omitted
}

// plan compares what the configuration and the flags want with what is in Datadog.
func (f *datadogFlags) plan(ctx context.Context, g *globals, prune bool) (*datadogPlan, error) {
	values, objects, omitted, err := f.render(g)
	if err != nil {
		return nil, err
	}
	access, err := datadog.AccessFrom(g.getenv)
	if err != nil {
		return nil, err
	}
	client := datadog.NewClient(access, nil, func(line string) { fmt.Fprintln(g.stderr, line) })
	kinds := datadog.Kinds()
	if values.Only != "" {
		kinds = []datadog.Kind{values.Only}
	}
	plan, err := datadog.Compare(ctx, client, objects, values.Env, kinds, prune)
	if err != nil {
		return nil, err
	}
	return &datadogPlan{plan, omitted}, nil
}

// apply prints the plan, and does it with yes.
func (p *datadogPlan) apply(ctx context.Context, g *globals, yes, asJSON bool) error {
	if !asJSON {
		if err := p.print(g); err != nil {
			return err
		}
	}
	var err error
	if yes {
		err = p.Apply(ctx, func(c datadog.Change) {
			if !asJSON {
				fmt.Fprintf(g.stdout, "%s %s %s (%s)\n", past(c.Action), c.Kind, c.Name, oneLine(c.ID))
			}
		})
	} else {
		err = p.Check(ctx)
	}
	switch {
	case asJSON:
		return errors.Join(p.json(g), err)
	case err == nil && !yes && p.Differs():
		_, err = fmt.Fprintln(g.stdout, "nothing is changed yet: the same command with --yes does it")
	}
	return err
}

// json prints the plan as one object.
func (p *datadogPlan) json(g *globals) error {
	if p.omitted == nil {
		p.omitted = []datadog.Omitted{}
	}
	enc := json.NewEncoder(g.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		*datadog.Plan
		Differs bool              `json:"differs"`
		Omitted []datadog.Omitted `json:"omitted"`
	}{p.Plan, p.Differs(), p.omitted})
}

// changes says in words what a plan would change.
func changes(p *datadog.Plan) string {
	return fmt.Sprintf("%d to make, %d to change, %d to delete", p.Count(datadog.Create), p.Count(datadog.Update), p.Count(datadog.Delete))
}

func past(a datadog.Action) string {
	switch a {
	case datadog.Create:
		return "made"
	case datadog.Update:
		return "changed"
	default:
		return "deleted"
	}
}

// note says on standard error what was left out and what is missing.
func note(g *globals, omitted []datadog.Omitted, silent bool) {
	for _, o := range omitted {
		fmt.Fprintf(g.stderr, "left out: %s %s: %s\n", o.Kind, o.Name, o.Reason)
	}
	if g.file() == "" {
		fmt.Fprintf(g.stderr, "no configuration is read: there is no %s here; name one with --config\n", config.FileName)
	}
	if silent {
		fmt.Fprintln(g.stderr, "nobody is notified by the monitors: set datadog.monitors.notify, or give --notify")
	}
}

// plural returns a number of objects with their kind.
func plural(n int, k datadog.Kind) string { return cli.Plural(n, string(k)) }
