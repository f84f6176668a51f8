package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
)

// filterFlags are the flags that choose cases.
type filterFlags struct {
	period                                     period
	cause, evaluator, prompt, version, feature string
	status                                     datasets.Status
	limit                                      limit
}

// add adds the flags. limit is the help of --limit.
func (f *filterFlags) add(cmd *cobra.Command, d *datasetsCommand, limit string) {
	f.period.add(cmd, "seen", "last seen")
	cmd.Flags().StringVar(&f.cause, "cause", "", "of this cause: its id, or the beginning of it")
	cmd.Flags().StringVar(&f.evaluator, "evaluator", "", "failed this evaluator")
	cmd.Flags().StringVar(&f.prompt, "prompt", "", "of the prompt with this name")
	cmd.Flags().StringVar(&f.version, "prompt-version", "", "seen in this prompt version")
	cmd.Flags().StringVar(&f.feature, "feature", "", "seen in this feature")
	cli.Choice(cmd, &f.status, "status", "", datasets.Statuses(), "in this status (default: all that are not dismissed)")
	cmd.Flags().Var(&f.limit, "limit", limit)
	for flag, values := range map[string]func(datasets.Case) []string{
		"cause":          func(c datasets.Case) []string { return []string{short(c.Cause)} },
		"evaluator":      func(c datasets.Case) []string { return []string{c.Evaluator} },
		"prompt":         func(c datasets.Case) []string { return []string{c.PromptName} },
		"prompt-version": func(c datasets.Case) []string { return []string{c.FirstVersion, c.LastVersion} },
		"feature":        func(c datasets.Case) []string { return []string{c.Feature} },
	} {
		cli.CompleteFlag(cmd, flag, completeCases(d.g, &d.store, values))
	}
}

func (f *filterFlags) filter(now time.Time) (datasets.Filter, error) {
	out := datasets.Filter{
		Cause: f.cause, Evaluator: f.evaluator, PromptName: f.prompt, PromptVersion: f.version, Feature: f.feature,
		Status: f.status, Limit: f.limit.most,
	}
	var faults fault.List
	out.Since, out.Until = f.period.parse(&faults, now)
	f.limit.check(&faults)
	return out, faults.Err()
}

func statuses() []string {
	var names []string
	for _, s := range datasets.Statuses() {
		names = append(names, string(s))
	}
	return names
}

// maxSuggested bounds the names that a fault lists.
const maxSuggested = 10

// checkNames returns a fault for each name in a filter that neither a case nor the
// configuration has. Callers ask after an empty result: then nothing was found because
// of the name, which looks as if nothing had failed.
func (d *datasetsCommand) checkNames(ctx context.Context, cases *datasets.Cases, f datasets.Filter) error {
	unknown, err := cases.Unknown(ctx, f)
	if err != nil {
		return err
	}
	flags := map[string][2]string{
		"Evaluator": {"--evaluator", "evaluator"}, "PromptName": {"--prompt", "prompt"},
		"PromptVersion": {"--prompt-version", "prompt version"}, "Feature": {"--feature", "feature"},
	}
	var faults fault.List
	for _, u := range unknown {
		known, problem := u.Known, "no case has the %s %q"
		if u.Field == "Evaluator" {
			if slices.Contains(d.evaluators, u.Name) {
				continue
			}
			problem = "unknown %s %q"
			known = slices.Compact(slices.Sorted(slices.Values(slices.Concat(known, d.evaluators))))
		}
		flag := flags[u.Field]
		faults.Add(flag[0], fmt.Sprintf(problem, flag[1], u.Name), suggestName(u.Name, known))
	}
	return faults.Err()
}

// suggestName returns what to write in place of a name: the known one that is near, or
// some of those that are known.
func suggestName(name string, known []string) string {
	if near := fault.Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 {
		return "no case names one"
	}
	listed := make([]string, 0, maxSuggested)
	for _, k := range known[:min(len(known), maxSuggested)] {
		listed = append(listed, cell(k, 40))
	}
	out := "want one of " + strings.Join(listed, ", ")
	if more := len(known) - len(listed); more > 0 {
		out += fmt.Sprintf(", and %d more", more)
	}
	return out
}
