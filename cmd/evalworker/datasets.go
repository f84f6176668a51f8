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
	cmd.AddCommand(d.list(), d.show(), d.export())
	return cmd
}

// datasetsCommand is what the commands below datasets share.
type datasetsCommand struct {
	g     *globals
	store string
}

// read opens the store and gives it to fn.
func (d *datasetsCommand) read(ctx context.Context, fn func(*datasets.Store) error) (err error) {
	cfg := datasets.DefaultConfig()
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
	s, err := datasets.OpenExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return fn(s)
}

// storeAt gives cfg with the store that --store names, if it names one. A password
// that cfg has stays behind: it is not for another server. The error is of type
// fault.Faults.
func storeAt(cfg datasets.Config, url string) (datasets.Config, error) {
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

// filterFlags are the options that choose cases.
type filterFlags struct {
	since, until, evaluator, version, feature, status string
	limit                                             limit
}

func (f *filterFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.since, "since", "", "seen at or after: a time such as 2026-01-31T12:00:00Z, or an age such as 24h")
	cmd.Flags().StringVar(&f.until, "until", "", "last seen before: a time or an age")
	cmd.Flags().StringVar(&f.evaluator, "evaluator", "", "failed this evaluator")
	cmd.Flags().StringVar(&f.version, "prompt-version", "", "seen in this prompt version")
	cmd.Flags().StringVar(&f.feature, "feature", "", "seen in this feature")
	cmd.Flags().StringVar(&f.status, "status", "", "in this status: "+statuses())
	cmd.Flags().Var(&f.limit, "limit", "at most so many cases (default: all)")
}

func (f *filterFlags) filter(now time.Time) (datasets.Filter, error) {
	out := datasets.Filter{Evaluator: f.evaluator, PromptVersion: f.version, Feature: f.feature, Status: datasets.Status(f.status), Limit: f.limit.most}
	var faults fault.List
	var err error
	if out.Since, err = moment(f.since, now); err != nil {
		faults.Add("--since", err.Error(), wantMoment)
	}
	if out.Until, err = moment(f.until, now); err != nil {
		faults.Add("--until", err.Error(), wantMoment)
	}
	checkOrder(&faults, out.Since, out.Until)
	if f.status != "" && !slices.Contains(datasets.Statuses(), out.Status) {
		faults.Add("--status", fmt.Sprintf("unknown status %q", f.status), "want one of "+statuses())
	}
	f.limit.check(&faults)
	return out, faults.Err()
}

const wantMoment = "want a time such as 2026-01-31T12:00:00Z, or an age such as 24h"

// moment reads a time, or an age before now.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(s); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time", s)
	}
	return t, nil
}

// checkOrder finds a time from which nothing lies before the other one.
func checkOrder(faults *fault.List, since, until time.Time) {
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		faults.Add("--since", fmt.Sprintf("%s is not before --until, which is %s", since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339)),
			"want an earlier time, or a greater age")
	}
}

func statuses() string {
	var names []string
	for _, s := range datasets.Statuses() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
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
			return d.read(cmd.Context(), func(s *datasets.Store) error {
				cases, err := s.List(cmd.Context(), filter)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(d.g.stdout).Encode(cases)
				}
				return printCases(d.g.stdout, cases)
			})
		},
	}
	f.add(cmd)
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

// cell makes s fit into a column of a table.
func cell(s string, width int) string {
	return cut(strings.Join(strings.Fields(printable(s)), " "), width)
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func (d *datasetsCommand) show() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a case with its exemplars",
		Long:  "Show a case with its exemplars. The beginning of an id is enough.",
		Example: `  evalworker datasets show 3f9a21c0
  evalworker datasets show 3f9a21c0 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.read(cmd.Context(), func(s *datasets.Store) error {
				c, err := s.Case(cmd.Context(), args[0])
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
	line(&b, "failed", c.Evaluator, joined(" ", c.Reason, bracketed(c.Label)))
	fmt.Fprintf(&b, "seen: %s from %s to %s\n", cli.Plural(c.Count, "time"), c.FirstSeen.Format(time.RFC3339), c.LastSeen.Format(time.RFC3339))
	versions := []string{c.FirstVersion, c.LastVersion}
	line(&b, "prompt", c.PromptName, joined(" to ", slices.Compact(versions)...))
	line(&b, "feature", c.Feature)
	for _, x := range c.Exemplars {
		fmt.Fprintf(&b, "\n--- %s at %s\n", x.RequestID, x.OccurredAt.Format(time.RFC3339))
		line(&b, "prompt", joined(" ", x.PromptName, x.PromptVersion), x.Environment)
		line(&b, "feature", x.Feature)
		line(&b, "model", x.Model, x.Provider)
		line(&b, "trace", x.TraceID, x.SpanID)
		if x.ContentWithheld {
			b.WriteString("content withheld: it could not be redacted\n")
			continue
		}
		line(&b, "input", event.JSON(x.Input).Text())
		line(&b, "output", event.JSON(x.Output).Text())
		line(&b, "expected", event.JSON(x.Expected).Text())
		line(&b, "comment", x.Comment)
		line(&b, "explanation", x.Verdict.Explanation)
	}
	// All of it is an application's words, names and ids too.
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// line writes what is known, and nothing where nothing is.
func line(b *strings.Builder, name string, values ...string) {
	if text := joined(", ", values...); text != "" {
		fmt.Fprintf(b, "%s: %s\n", name, text)
	}
}

func joined(sep string, values ...string) string {
	return strings.Join(slices.DeleteFunc(values, func(v string) bool { return v == "" }), sep)
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// printable keeps content from steering the terminal on which it is shown.
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
	var format, out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write cases as a dataset, one exemplar a line",
		Long: `Write cases as a dataset, one exemplar a line, as JSON lines or CSV. A file is
written whole or not at all.`,
		Example: `  evalworker datasets export --out cases.jsonl
  evalworker datasets export --format csv --since 168h --out cases.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			if !slices.Contains(datasets.Formats(), datasets.Format(format)) {
				return fault.List{{Path: "--format", Problem: fmt.Sprintf("unknown format %q", format), Expected: "want jsonl or csv"}}
			}
			return d.read(cmd.Context(), func(s *datasets.Store) error {
				if out == "" || out == "-" {
					_, err := s.Export(cmd.Context(), d.g.stdout, datasets.Format(format), filter)
					return err
				}
				n, err := exportFile(cmd.Context(), s, out, datasets.Format(format), filter)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(d.g.stderr, "%s written to %s\n", cli.Plural(n, "exemplar"), out)
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file (default: standard output)")
	return cmd
}

// exportFile writes to a file beside the wanted one, which it then replaces, so that
// nobody reads half of an export. What is no regular file, such as /dev/stdout, is
// written to as it is.
func exportFile(ctx context.Context, s *datasets.Store, path string, format datasets.Format, f datasets.Filter) (n int, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return exportInto(ctx, s, path, format, f)
	}
	if path, err = behindLinks(path); err != nil {
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
	n, err = s.Export(ctx, tmp, format, f)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(tmp.Name(), path)
}

func exportInto(ctx context.Context, s *datasets.Store, path string, format datasets.Format, f datasets.Filter) (n int, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return s.Export(ctx, out, format, f)
}

// behindLinks gives the file that a path leads to, which need not exist. A link that
// leads nowhere is an error, for it would be replaced.
func behindLinks(path string) (string, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is a link that leads nowhere: make its target, or name another file: %w", path, fs.ErrNotExist)
	}
	return to, err
}
