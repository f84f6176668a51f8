package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/datadog"
)

// datadogFlags are the flags that fill monitors and dashboards in. Each stands over the
// key of the configuration with its name.
type datadogFlags struct {
	env, docs, team             string
	notify, evaluators, without []string
	thresholds, warnings        []string // NAME=NUMBER
	only                        string   // the folder of one kind
}

func (f *datadogFlags) add(cmd *cobra.Command, g *globals) {
	flags := cmd.Flags()
	flags.StringVar(&f.env, "env", "", "environment that the monitors watch, a value of the tag env (default $DD_ENV, else datadog.env)")
	flags.StringSliceVar(&f.notify, "notify", nil, "`RECIPIENTS` of the monitors, such as @slack-llm; repeat it, or use commas")
	flags.StringVar(&f.docs, "docs", "", "base URL of this project's docs folder, for links to runbooks")
	flags.StringVar(&f.team, "team", "", "value of the tag team")
	flags.StringSliceVar(&f.evaluators, "evaluator", nil, "evaluators that each get the monitors of quality; repeat it, or use commas")
	flags.StringSliceVar(&f.without, "without", nil, "monitors and dashboards that are left out; repeat it, or use commas")
	flags.StringSliceVar(&f.thresholds, "threshold", nil, "threshold of a monitor as `NAME=NUMBER`; repeat it, or use commas")
	flags.StringSliceVar(&f.warnings, "warning", nil, "warning threshold of a monitor as `NAME=NUMBER`; repeat it, or use commas")
	cli.Choice(cmd, &f.only, "only", "", []string{"monitors", "dashboards"}, "one kind alone")
	cli.CompleteFlag(cmd, "evaluator", completeEvaluators(g))
	cli.CompleteFlag(cmd, "without", completeNames("", datadog.Kinds()...))
	cli.CompleteFlag(cmd, "threshold", completeNames("=", datadog.Monitor))
	cli.CompleteFlag(cmd, "warning", completeNames("=", datadog.Monitor))
}

// completeNames completes the names of monitors or dashboards, with a suffix.
func completeNames(suffix string, kinds ...datadog.Kind) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, k := range kinds {
			for _, name := range datadog.Names(k) {
				out = append(out, name+suffix)
			}
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if suffix != "" {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return out, directive
	}
}

// render returns the objects that the configuration and the flags want, and says what is
// missing. The error is of type fault.List, unless a file of the program is broken.
func (f *datadogFlags) render(g *globals) (datadog.Values, []datadog.Object, []datadog.Omission, error) {
	values, given, err := f.values(g)
	if err != nil {
		return values, nil, nil, err
	}
	objects, omitted, err := renderFor(g, values, given)
	if err != nil {
		return values, nil, nil, err
	}
	for _, o := range objects {
		if absent := o.Absent(values.Known); o.Kind == datadog.Dashboard && len(values.Known) > 0 && len(absent) > 0 {
			fmt.Fprintf(g.stderr, "dashboard %s: graphs of %s stay empty, because the configuration has no such evaluator (docs/dashboards.md)\n", o.Name, strings.Join(absent, ", "))
		}
	}
	note(g, omitted, len(values.Notify) == 0 && values.Only != datadog.Dashboard)
	return values, objects, omitted, nil
}

// renderFor renders, and names in each fault where the number was set: a flag that is given,
// or else the configuration.
func renderFor(g *globals, values datadog.Values, given map[string]map[string]bool) ([]datadog.Object, []datadog.Omission, error) {
	objects, omitted, err := datadog.Render(values)
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		return objects, omitted, err
	}
	var out fault.List
	for _, fa := range faults {
		if key, name, _ := strings.Cut(fa.Path, "."); given[key][name] {
			fa = flagFault(fa)
		} else {
			fa.File, fa.Path = g.file(), "datadog.monitors."+fa.Path
		}
		if !slices.Contains(out, fa) { // monitors of several evaluators share a number
			out = append(out, fa)
		}
	}
	return nil, nil, out
}

// checkMonitors returns the faults of thresholds that need the monitors to be seen, such
// as a warning that comes after its threshold. A worker reads none of them, so it starts
// with them.
func checkMonitors(g *globals, cfg *config.Config) error {
	_, _, err := renderFor(g, datadog.Values{Config: cfg.Datadog.Monitors, Known: configuredEvaluators(cfg), Only: datadog.Monitor}, nil)
	return err
}

// configuredEvaluators returns the names of the evaluators that the configuration has.
func configuredEvaluators(cfg *config.Config) (names []string) {
	for _, e := range cfg.Evaluators {
		names = append(names, e.Name)
	}
	return names
}

// values puts the flags over the configuration. given says of which thresholds and
// warnings the number is that of a flag.
func (f *datadogFlags) values(g *globals) (v datadog.Values, given map[string]map[string]bool, err error) {
	cfg, err := g.load()
	if err != nil {
		return v, nil, err
	}
	var faults fault.List
	flags := datadog.Config{
		Notify: f.notify, Docs: f.docs, Team: f.team, Evaluators: f.evaluators, Without: f.without,
		Thresholds: numbers(&faults, "--threshold", f.thresholds), Warnings: numbers(&faults, "--warning", f.warnings),
	}
	v = datadog.Values{Config: cfg.Datadog.Monitors, Known: configuredEvaluators(cfg), Only: datadog.Kind(strings.TrimSuffix(f.only, "s"))}
	for _, to := range []struct{ flag, value *[]string }{{&flags.Notify, &v.Notify}, {&flags.Evaluators, &v.Evaluators}, {&flags.Without, &v.Without}} {
		if len(*to.flag) > 0 {
			*to.value = *to.flag
		}
	}
	v.Team, v.Docs = cmp.Or(f.team, v.Team), cmp.Or(f.docs, v.Docs)
	given = map[string]map[string]bool{"thresholds": {}, "warnings": {}}
	for _, n := range []struct {
		key   string
		flags map[string]float64
		value *map[string]float64
	}{{"thresholds", flags.Thresholds, &v.Thresholds}, {"warnings", flags.Warnings, &v.Warnings}} {
		merged := map[string]float64{}
		maps.Copy(merged, *n.value)
		maps.Copy(merged, n.flags)
		*n.value = merged
		for name := range n.flags {
			given[n.key][name] = true
		}
	}
	// Names of evaluators may come from the file, and the rest was checked with it.
	flags.Evaluators, flags.Docs = v.Evaluators, v.Docs
	for _, fa := range flags.Validate() {
		faults = append(faults, flagFault(fa))
	}
	for _, name := range f.evaluators {
		if len(v.Known) > 0 && !slices.Contains(v.Known, name) {
			faults.Add("--evaluator", fmt.Sprintf("unknown evaluator %q", name), fault.Suggest(name, v.Known, ""))
		}
	}
	v.Env = cmp.Or(f.env, g.getenv("DD_ENV"), cfg.Datadog.Env)
	for _, fa := range v.CheckEnv() {
		switch {
		case f.env != "" || v.Env == "":
		case g.getenv("DD_ENV") != "":
			fa.Path = "DD_ENV"
		default:
			fa.File, fa.Path = g.file(), "datadog.env"
		}
		faults = append(faults, fa)
	}
	return v, given, faults.Err()
}

// numbers reads flags of the form NAME=NUMBER.
func numbers(faults *fault.List, flag string, pairs []string) map[string]float64 {
	out := map[string]float64{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			faults.Add(flag, fmt.Sprintf("%q is no threshold", pair), "want the name of a monitor and a number, such as provider-errors=5")
			continue
		}
		out[name] = n
	}
	return out
}

// flagFault turns a fault of a key into one of the flag that stands over it.
func flagFault(fa fault.Fault) fault.Fault {
	key, name, _ := strings.Cut(fa.Path, ".")
	key, _, _ = strings.Cut(key, "[")
	switch key {
	case "thresholds", "warnings", "evaluators":
		key = strings.TrimSuffix(key, "s")
	}
	fa.Path = strings.TrimSpace("--" + key + " " + name)
	return fa
}
