package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/datadog"
)

func (d *datasetsCommand) push() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "push",
		Short:   "Send cases to a service that keeps datasets",
		Long:    "Send cases to a service that keeps datasets.",
		Example: `  evalworker datasets push datadog --project support --dataset failures`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(d.pushDatadog())
	return cmd
}

const flagEnableUnstable = "--enable-unstable"

func (d *datasetsCommand) pushDatadog() *cobra.Command {
	p := &datadogPush{d: d}
	var f filterFlags
	var enabled []string
	cmd := &cobra.Command{
		Use:   "datadog",
		Short: "Send cases to a dataset of Datadog LLM Observability, one record a case",
		Long: `Send cases to a dataset of Datadog LLM Observability, one record a case, without those
that were dismissed. Without --yes it prints what it would send, and sends nothing.

The project and the dataset are made when they are not there. Datadog leaves out a
record that the dataset has already, so a second run adds only cases that are new. A
run that fails says how many records are stored, and the next one sends the rest.

The keys are read from DD_API_KEY and DD_APP_KEY, and the site from DD_SITE
(datadoghq.com when it is not set). No key is taken from a flag, or printed. Datadog
calls the operations that this needs unstable, so they have to be enabled by name.`,
		Example: `  evalworker datasets push datadog --project support --dataset failures --status confirmed
  evalworker datasets push datadog --project support --dataset failures --yes ` + flagEnableUnstable + ` ` + strings.Join(datadog.DatasetOperations(), ","),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			faults, _ := errors.AsType[fault.List](err)
			for _, name := range [...][2]string{{"--project", p.project}, {"--dataset", p.dataset}} {
				if strings.TrimSpace(name[1]) == "" {
					faults.Add(name[0], "missing", "want a name in Datadog LLM Observability")
				}
			}
			if p.yes {
				faults = append(faults, datadog.CheckEnabled(enabled, flagEnableUnstable)...)
			}
			if err := faults.Err(); err != nil {
				return err
			}
			return d.read(cmd.Context(), func(cases *datasets.Cases) error { return p.run(cmd.Context(), cases, filter) })
		},
	}
	f.add(cmd, d, "at most so many cases (default: all)")
	cmd.Flags().StringVar(&p.project, "project", "", "project of LLM Observability")
	cmd.Flags().StringVar(&p.dataset, "dataset", "", "dataset of the project")
	cmd.Flags().BoolVar(&p.yes, "yes", false, "do it; without, nothing is sent")
	cmd.Flags().StringSliceVar(&enabled, strings.TrimPrefix(flagEnableUnstable, "--"), nil, "operations of Datadog's API to use although they are unstable, by name, separated by commas")
	cli.CompleteFlag(cmd, strings.TrimPrefix(flagEnableUnstable, "--"), cobra.FixedCompletions(datadog.DatasetOperations(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// datadogPush is one push of cases.
type datadogPush struct {
	d                *datasetsCommand
	project, dataset string
	yes              bool
}

func (p *datadogPush) run(ctx context.Context, cases *datasets.Cases, filter datasets.Filter) error {
	count, withheld := 0, 0
	for _, err := range recordsOf(ctx, cases, filter, &withheld) {
		if err != nil {
			return err
		}
		count++
	}
	if count+withheld == 0 {
		if err := p.d.checkNames(ctx, cases, filter); err != nil {
			return err
		}
	}
	out := p.d.g.stdout
	if withheld > 0 {
		fmt.Fprintf(p.d.g.stderr, "%s without an input left out: it was withheld, or the event had none\n", cli.Plural(withheld, "case"))
	}
	if !p.yes {
		_, err := fmt.Fprintf(out, "%s would go to dataset %q of project %q\nnothing is sent yet: the same command with --yes does it\n", cli.Plural(count, "record"), p.dataset, p.project)
		return err
	}
	access, err := datadog.AccessFrom(p.d.g.getenv)
	if err != nil {
		return err
	}
	client := datadog.NewClient(access, nil, func(line string) { fmt.Fprintln(p.d.g.stderr, line) })
	if count == 0 {
		_, err := fmt.Fprintln(out, "no cases: nothing is sent")
		return err
	}
	to, err := client.OpenDataset(ctx, p.project, p.dataset)
	if err != nil {
		return err
	}
	if to.Created {
		fmt.Fprintf(out, "made dataset %q of project %q\n", p.dataset, p.project)
	}
	done, err := to.Append(ctx, recordsOf(ctx, cases, filter, new(int)))
	for _, r := range done.Refused {
		fmt.Fprintf(p.d.g.stderr, "case %s is refused: %v\n", caseOf(r.Record), r.Err)
	}
	if err != nil {
		return fmt.Errorf("%d of %s are stored, and the same command sends the rest: %w", done.Taken, cli.Plural(count, "record"), err)
	}
	if _, err := fmt.Fprintf(out, "%s sent to dataset %q of project %q: %d stored, %d there already, as Datadog answers\n", cli.Plural(done.Taken, "record"), p.dataset, p.project, done.Listed, done.Taken-done.Listed); err != nil {
		return err
	}
	if n := len(done.Refused); n > 0 {
		return fmt.Errorf("%d of %s refused by Datadog for the reasons above; the others are stored", n, cli.Plural(count, "record"))
	}
	return nil
}

// caseOf returns the id of the case that a record is of.
func caseOf(record json.RawMessage) string {
	var r struct {
		Metadata struct {
			CaseID string `json:"case_id"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(record, &r) // it was made by recordOf
	return r.Metadata.CaseID
}

// errEnough ends the reading of cases of which no more are wanted.
var errEnough = errors.New("enough")

// recordsOf returns a record for each case, from its first exemplar, which stays the same
// when the case occurs again. It counts the cases without an input, which Datadog does not
// take, in withheld.
func recordsOf(ctx context.Context, cases *datasets.Cases, filter datasets.Filter, withheld *int) iter.Seq2[datadog.Record, error] {
	return func(yield func(datadog.Record, error) bool) {
		last := ""
		err := cases.Rows(ctx, filter, func(r datasets.Row) error {
			switch {
			case r.CaseID == last:
			case r.ContentWithheld || len(r.Input) == 0:
				*withheld++
			case !yield(recordOf(&r), nil):
				return errEnough
			}
			last = r.CaseID
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(datadog.Record{}, err)
		}
	}
}

// recordInput is the input of a record: all that the model was given.
type recordInput struct {
	Input  json.RawMessage `json:"input"`
	Query  string          `json:"query,omitempty"`
	Chunks any             `json:"chunks,omitempty"`
	Tools  json.RawMessage `json:"tools,omitempty"`
}

// recordOf returns the record of a case. What changes while the case stays the same is
// left out, because Datadog would take it for another record: how often and when the case
// was seen, and what a person thinks of it.
func recordOf(r *datasets.Row) datadog.Record {
	in := recordInput{Input: r.Input, Query: r.Query, Tools: r.Tools}
	if len(r.Chunks) > 0 {
		in.Chunks = r.Chunks
	}
	metadata := map[string]any{
		"case_id": r.CaseID, "cause": r.Cause, "evaluator": r.Evaluator, "reason": r.Reason, "request_id": string(r.RequestID),
	}
	for key, value := range map[string]string{
		"prompt_name": r.PromptName, "prompt_version": r.PromptVersion, "model": r.Model, "provider": r.Provider, "feature": r.Feature,
		"output_schema": r.OutputSchema, "trace_id": r.TraceID, "span_id": r.SpanID,
	} {
		if value != "" {
			metadata[key] = value
		}
	}
	if len(r.Output) > 0 {
		metadata["failing_output"] = r.Output
	}
	return datadog.Record{Input: in, ExpectedOutput: r.Expected, Metadata: metadata}
}
