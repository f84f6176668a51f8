package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/store"
)

func newDatasetsCommand(g *globals) *cobra.Command {
	d := &datasetsCommand{g: g}
	cmd := &cobra.Command{
		Use:   "datasets",
		Short: "Read the failing requests that were kept as cases",
		Long: `Read the failing requests that were kept as cases. A case stands for all failures
with one signature: the evaluator, the reason, and the question that was asked.`,
		Example: `  evalworker datasets list --since 24h
  evalworker datasets export --out cases.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&d.store, "store", "", "where cases are kept, such as sqlite:evalworker.db or postgres://USER@HOST/DATABASE (default: the configuration's store)")
	completeStore(cmd)
	cmd.AddCommand(d.list(), d.show(), d.export())
	return cmd
}

// datasetsCommand holds what the subcommands of datasets share.
type datasetsCommand struct {
	g     *globals
	store string
}

// read opens the store and calls fn with its cases.
func (d *datasetsCommand) read(ctx context.Context, fn func(*datasets.Cases) error) (err error) {
	cfg := store.DefaultConfig()
	if d.store == "" {
		all, err := d.g.load()
		if err != nil {
			return err
		}
		cfg = all.Store
	}
	if cfg, err = storeAt(cfg, d.store); err != nil {
		return err
	}
	s, err := store.OpenExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return fn(datasets.NewCases(s))
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

// filterFlags are the flags that choose cases.
type filterFlags struct {
	period                      period
	evaluator, version, feature string
	status                      datasets.Status
	limit                       limit
}

func (f *filterFlags) add(cmd *cobra.Command, d *datasetsCommand) {
	f.period.add(cmd, "seen", "last seen")
	cmd.Flags().StringVar(&f.evaluator, "evaluator", "", "failed this evaluator")
	cmd.Flags().StringVar(&f.version, "prompt-version", "", "seen in this prompt version")
	cmd.Flags().StringVar(&f.feature, "feature", "", "seen in this feature")
	cli.Choice(cmd, &f.status, "status", "", datasets.Statuses(), "in this status (every new case is a candidate, others are set in the store by hand)")
	cmd.Flags().Var(&f.limit, "limit", "at most so many cases (default: all)")
	cli.CompleteFlag(cmd, "evaluator", completeCases(d.g, &d.store, func(c datasets.Case) []string { return []string{c.Evaluator} }))
	cli.CompleteFlag(cmd, "prompt-version", completeCases(d.g, &d.store, func(c datasets.Case) []string { return []string{c.FirstVersion, c.LastVersion} }))
	cli.CompleteFlag(cmd, "feature", completeCases(d.g, &d.store, func(c datasets.Case) []string { return []string{c.Feature} }))
}

func (f *filterFlags) filter(now time.Time) (datasets.Filter, error) {
	out := datasets.Filter{Evaluator: f.evaluator, PromptVersion: f.version, Feature: f.feature, Status: f.status, Limit: f.limit.most}
	var faults fault.List
	out.Since, out.Until = f.period.parse(&faults, now)
	f.limit.check(&faults)
	return out, faults.Err()
}

// period is the value of --since and --until.
type period struct{ since, until string }

// add adds the two flags. since and until begin their help.
func (p *period) add(cmd *cobra.Command, since, until string) {
	cmd.Flags().StringVar(&p.since, "since", "", since+" at or after: a time such as 2026-01-31T12:00:00Z, or an age such as 24h")
	cmd.Flags().StringVar(&p.until, "until", "", until+" before: a time or an age")
}

// parse returns zero times for flags that are not set, or not valid.
func (p *period) parse(faults *fault.List, now time.Time) (since, until time.Time) {
	since, until = parseTime(faults, "--since", p.since, now), parseTime(faults, "--until", p.until, now)
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		faults.Add("--since", fmt.Sprintf("%s is not before --until, which is %s", since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339)),
			"want an earlier time, or a greater age")
	}
	return since, until
}

// parseTime reads a time, or an age before now.
func parseTime(faults *fault.List, flag, s string, now time.Time) time.Time {
	if s == "" {
		return time.Time{}
	}
	if age, err := time.ParseDuration(s); err == nil && age >= 0 {
		return now.Add(-age)
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		faults.Add(flag, fmt.Sprintf("%q is not a time", s), "want a time such as 2026-01-31T12:00:00Z, or an age such as 24h")
	}
	return t
}

func (d *datasetsCommand) list() *cobra.Command {
	var f filterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List cases, the most frequent first",
		Example: `  evalworker datasets list --since 24h
  evalworker datasets list --prompt-version 2026-06-01.3 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			return d.read(cmd.Context(), func(cases *datasets.Cases) error {
				list, err := cases.List(cmd.Context(), filter)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(d.g.stdout).Encode(list)
				}
				return printCases(d.g.stdout, list)
			})
		},
	}
	f.add(cmd, d)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func printCases(w io.Writer, cases []datasets.Case) error {
	if len(cases) == 0 {
		_, err := fmt.Fprintln(w, "no cases")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tseen\tevaluator\treason\tversion\tstatus\tlast seen")
	for _, c := range cases {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", c.ID[:min(8, len(c.ID))], c.Count,
			cell(c.Evaluator, 16), cell(c.Reason, 24), cell(c.LastVersion, 14), c.Status, c.LastSeen.Format("01-02 15:04"))
	}
	return t.Flush()
}

// cell returns s as one line of at most width characters, for a column of a table.
func cell(s string, width int) string {
	s = strings.Join(strings.Fields(printable(s)), " ")
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
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
		ValidArgsFunction: cli.OneArgument(completeCases(d.g, &d.store, func(c datasets.Case) []string { return []string{c.ID[:min(8, len(c.ID))]} })),
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
	fmt.Fprintf(&b, "case %s (%s)\n", c.ID, c.Status)
	writeLine(&b, "failed", c.Evaluator, joinNonEmpty(" ", c.Reason, parenthesise(c.Label)))
	fmt.Fprintf(&b, "seen: %s from %s to %s\n", cli.Plural(c.Count, "time"), c.FirstSeen.Format(time.RFC3339), c.LastSeen.Format(time.RFC3339))
	writeLine(&b, "prompt", c.PromptName, joinNonEmpty(" to ", slices.Compact([]string{c.FirstVersion, c.LastVersion})...))
	writeLine(&b, "feature", c.Feature)
	for _, x := range c.Exemplars {
		fmt.Fprintf(&b, "\n--- %s at %s\n", x.RequestID, x.OccurredAt.Format(time.RFC3339))
		writeLine(&b, "prompt", joinNonEmpty(" ", x.PromptName, x.PromptVersion), x.Environment)
		writeLine(&b, "feature", x.Feature)
		writeLine(&b, "model", x.Model, x.Provider)
		writeLine(&b, "trace", x.TraceID)
		writeLine(&b, "span", x.SpanID)
		if x.ContentWithheld {
			b.WriteString("content withheld: it could not be redacted\n")
			continue
		}
		writeLine(&b, "input", event.JSON(x.Input).Text())
		writeLine(&b, "output", event.JSON(x.Output).Reply())
		writeLine(&b, "expected", event.JSON(x.Expected).Reply())
		writeLine(&b, "comment", x.Comment)
		writeLine(&b, "explanation", x.Failure.Explanation)
	}
	// Names and ids come from the application as well, so all of it is made printable.
	_, err := io.WriteString(w, printable(b.String()))
	return err
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

// printable replaces control characters, so that content cannot control the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 {
			return '\ufffd'
		}
		return c
	}, s)
}

func (d *datasetsCommand) export() *cobra.Command {
	var f filterFlags
	var out string
	var names, descriptions []string
	for _, format := range datasets.Formats() {
		names, descriptions = append(names, format.Name), append(descriptions, format.Description)
	}
	name := names[0]
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write cases as a dataset, one exemplar a line",
		Long: fmt.Sprintf(`Write cases as a dataset, one exemplar a line, as %s. A file is
written whole or not at all.`, cli.Alternatives(descriptions)),
		Example: `  evalworker datasets export --out cases.jsonl
  evalworker datasets export --format csv --since 168h --out cases.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			format := datasets.Formats()[slices.Index(names, name)]
			return d.read(cmd.Context(), func(cases *datasets.Cases) error {
				if out == "" || out == "-" {
					_, err := cases.Export(cmd.Context(), d.g.stdout, format, filter)
					return err
				}
				n, err := exportFile(cmd.Context(), cases, out, format, filter)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(d.g.stderr, "%s written to %s\n", cli.Plural(n, "exemplar"), out)
				return err
			})
		},
	}
	f.add(cmd, d)
	cli.Choice(cmd, &name, "format", "", names, "format of the dataset")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file (default: standard output)")
	cli.CompleteFiles(cmd, "out")
	return cmd
}

// exportFile writes to a temporary file beside the named one, which it then replaces,
// so that a reader never sees half of an export. A file that is not regular, such as
// /dev/stdout, is written to directly.
func exportFile(ctx context.Context, cases *datasets.Cases, path string, format datasets.Format, f datasets.Filter) (n int, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return exportInto(ctx, cases, path, format, f)
	}
	if path, err = resolveLinks(path); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	n, err = cases.Export(ctx, tmp, format, f)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(tmp.Name(), path)
}

func exportInto(ctx context.Context, cases *datasets.Cases, path string, format datasets.Format, f datasets.Filter) (n int, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return cases.Export(ctx, out, format, f)
}

// resolveLinks returns the file to which a path leads, which need not exist. A link
// that leads nowhere is an error, because the link itself would be replaced.
func resolveLinks(path string) (string, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is a link that leads nowhere: make its target, or name another file: %w", path, fs.ErrNotExist)
	}
	return to, err
}
