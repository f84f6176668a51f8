package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/store"
)

func newDatasetsCommand(g *globals) *cobra.Command {
	d := &datasetsCommand{g: g}
	cmd := &cobra.Command{
		Use:   "datasets",
		Short: "Read the failing requests that were kept as cases",
		Long: `Read the failing requests that were kept as cases. A cause is what failed: an
evaluator, a reason, and a prompt in all its versions. A case is a question inside a
cause, and stands for all failures with that question.`,
		Example: `  evalworker datasets list --since 24h
  evalworker datasets list --by version
  evalworker datasets export --out cases.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	addStoreFlag(cmd, &d.store)
	cmd.AddCommand(d.list(), d.show(), d.export(), d.push(), d.status(), d.prune())
	return cmd
}

// datasetsCommand holds what the subcommands of datasets share.
type datasetsCommand struct {
	g     *globals
	store string // --store; it may hold a password
	// Set by read: the store without its password, and the evaluators of the
	// configuration, if there is one.
	url        string
	evaluators []string
}

// read opens the store and calls fn with its cases.
func (d *datasetsCommand) read(ctx context.Context, fn func(*datasets.Cases) error) (err error) {
	cfg, all, err := d.g.storeConfig(d.store)
	if err != nil {
		return err
	}
	if all != nil {
		d.evaluators = evaluatorNames(all)
	}
	d.url = cfg.URL
	s, err := store.OpenExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return fn(datasets.NewCases(s))
}

// evaluatorNames returns the evaluators of a configuration. Without any, the command
// eval runs those that need no settings.
func evaluatorNames(cfg *config.Config) []string {
	evaluators := cfg.Evaluators
	if len(evaluators) == 0 {
		evaluators = policy.Deterministic()
	}
	var names []string
	for _, e := range evaluators {
		names = append(names, e.Name)
	}
	return names
}

func (d *datasetsCommand) show() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a case with its exemplars",
		Long:  "Show a case with its exemplars. The beginning of an id is enough.",
		Example: `  evalworker datasets show 3f9a21c0
  evalworker datasets show 3f9a21c0 --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.OneArgument(d.completeIDs()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.read(cmd.Context(), func(cases *datasets.Cases) error {
				c, err := cases.Case(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(d.g.stdout).Encode(c)
				}
				return printCase(d.g.stdout, c)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func printCase(w io.Writer, c datasets.Case) error {
	var b strings.Builder
	fmt.Fprintf(&b, "case %s (%s) of cause %s\n", c.ID, c.Status, c.Cause)
	writeLine(&b, "failed", c.Evaluator, joinNonEmpty(" ", c.Reason, parenthesise(c.Label)))
	fmt.Fprintf(&b, "seen: %s from %s to %s\n", cli.Plural(c.Count, "time"), c.FirstSeen.Format(time.RFC3339), c.LastSeen.Format(time.RFC3339))
	writeLine(&b, "prompt", c.PromptName, span(c.FirstVersion, c.LastVersion))
	if len(c.Versions) > 2 {
		writeLine(&b, "versions", c.Versions...)
	}
	writeLine(&b, "feature", c.Feature)
	for _, x := range c.Exemplars {
		b.WriteByte('\n')
		writeExemplar(&b, x)
	}
	// Names and ids come from the application as well, so all of it is made printable.
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// writeExemplar writes one failure: the request, and what the evaluator saw and said.
func writeExemplar(b *strings.Builder, x datasets.Exemplar) {
	fmt.Fprintf(b, "--- %s at %s\n", x.RequestID, x.OccurredAt.Format(time.RFC3339))
	writeLine(b, "prompt", joinNonEmpty(" ", x.PromptName, x.PromptVersion), x.Environment)
	writeLine(b, "feature", x.Feature)
	writeLine(b, "model", x.Model, x.Provider)
	writeLine(b, "trace", x.TraceID)
	if x.SpanID != "" {
		writeLine(b, "span", x.SpanID+" (decimal "+x.SpanIDDecimal+")")
	}
	if x.ContentWithheld {
		b.WriteString("content withheld: it could not be redacted, or the event was published without it\n")
		return
	}
	writeLine(b, "input", event.JSON(x.Input).Text())
	writeLine(b, "query", x.Query)
	for i, chunk := range x.Chunks {
		writeLine(b, joinNonEmpty(" ", "passage", cmp.Or(string(chunk.ID), strconv.Itoa(i+1))), chunk.Text)
	}
	for _, call := range x.ToolCalls {
		writeLine(b, "tool call", joinNonEmpty(" ", call.Name, call.Arguments.Text(), parenthesise(call.Status)))
		writeLine(b, "tool result", call.Result.Text())
	}
	writeLine(b, "output", event.JSON(x.Output).Reply())
	writeLine(b, "expected", event.JSON(x.Expected).Reply())
	writeLine(b, "rating", string(x.UserRating))
	writeLine(b, "comment", x.Comment)
	writeLine(b, "explanation", x.Failure.Explanation)
	for _, criterion := range x.Failure.Criteria {
		writeLine(b, "criterion "+criterion.ID, joinNonEmpty(": ", criterion.Outcome.String(), criterion.Reason))
		writeLine(b, "evidence", criterion.Evidence)
	}
}

// writeLine writes the values that are not empty, or nothing when all are.
func writeLine(b *strings.Builder, name string, values ...string) {
	if text := joinNonEmpty(", ", values...); text != "" {
		fmt.Fprintf(b, "%s: %s\n", name, text)
	}
}

func joinNonEmpty(sep string, values ...string) string {
	return strings.Join(slices.DeleteFunc(values, func(v string) bool { return v == "" }), sep)
}

func parenthesise(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// span returns the first and the latest version, or the only one.
func span(first, last string) string {
	return joinNonEmpty(" to ", slices.Compact([]string{first, last})...)
}

// completeIDs completes the ids of cases.
func (d *datasetsCommand) completeIDs() cobra.CompletionFunc {
	return completeCases(d.g, &d.store, func(c datasets.Case) []string { return []string{short(c.ID)} })
}

func (d *datasetsCommand) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status CASE STATUS",
		Short: "Confirm a case, dismiss it, or make it a candidate again",
		Long: `Give a case a status. A new case is a candidate. Confirm it when it is a failure, or
dismiss it when the evaluator was wrong. Lists and exports leave out dismissed cases
unless --status asks for them. A case keeps its status when it occurs again.`,
		Example: `  evalworker datasets status 3f9a21c0 confirmed
  evalworker datasets status 3f9a21c0 dismissed`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return statuses(), cobra.ShellCompDirectiveNoFileComp
			}
			return cli.OneArgument(d.completeIDs())(cmd, args, begun)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			status := datasets.Status(args[1])
			if !slices.Contains(datasets.Statuses(), status) {
				return fault.List{{Problem: fmt.Sprintf("unknown status %q", args[1]), Expected: fault.Suggest(args[1], statuses(), "")}}
			}
			return d.read(cmd.Context(), func(cases *datasets.Cases) error {
				before, err := cases.SetStatus(cmd.Context(), args[0], status)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(d.g.stdout, "case %s: %s, was %s\n", before.ID, status, printable(string(before.Status)))
				return err
			})
		},
	}
}
