package main

import (
	"bufio"
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
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
)

// byCase is the value of --by for single cases.
const byCase = "case"

// defaultRows is the number of rows that a list for a person has without --limit.
const defaultRows = 20

func (d *datasetsCommand) list() *cobra.Command {
	var f filterFlags
	var by string
	var asJSON bool
	var page page
	groupings := []string{}
	for _, g := range datasets.Groupings() {
		groupings = append(groupings, string(g))
	}
	groupings = append(groupings, byCase)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what failed: causes, or the cases of one, most failures first",
		Long: `List what failed, most failures first: causes, or with --cause the cases of one and
their questions, or with --by something else. Counts are of all failures of the cases
that the other flags choose.

With --json the list has all rows unless --limit is given: cases, or groups with --by.`,
		Example: `  evalworker datasets list --since 24h
  evalworker datasets list --cause 3f9a21c0
  evalworker datasets list --by case --page 2
  evalworker datasets list --by version --prompt support_agent
  evalworker datasets list --prompt-version 2026-06-01.3 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			faults, _ := errors.AsType[fault.List](err)
			if page.check(&faults); len(faults) > 0 {
				return faults
			}
			if by == "" {
				by = byCase
				if !asJSON && filter.Cause == "" {
					by = string(datasets.ByCause)
				}
			}
			if (!asJSON || page.given) && filter.Limit == 0 {
				filter.Limit = defaultRows
			}
			filter.Offset = page.offset(filter.Limit)
			return d.read(cmd.Context(), func(cases *datasets.Cases) error {
				l := lister{d: d, cases: cases, filter: filter, json: asJSON}
				if by == byCase {
					return l.listCases(cmd.Context())
				}
				return l.listGroups(cmd.Context(), datasets.Grouping(by))
			})
		},
	}
	f.add(cmd, d, fmt.Sprintf("at most so many rows (default: %d, or all with --json)", defaultRows))
	cmd.Flags().Var(&page, "page", "of the rows, this page of --limit each (default: 1)")
	cli.Choice(cmd, &by, "by", "", groupings, "a row for each (default: cause, or case with --cause or --json)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// lister prints one list.
type lister struct {
	d      *datasetsCommand
	cases  *datasets.Cases
	filter datasets.Filter
	json   bool
}

// empty ends a list without rows, unless that is because of an unknown name.
func (l lister) empty(ctx context.Context) error {
	if err := l.d.checkNames(ctx, l.cases, l.filter); err != nil {
		return err
	}
	text := "no cases"
	if l.json {
		text = "[]"
	}
	_, err := fmt.Fprintln(l.d.g.stdout, text)
	return err
}

// manyRows is the number above which a list points to its next page and not to all rows.
const manyRows = 500

// end says on standard error, because the rows may go into another program, how many are
// not shown, and that counts are not those of a time that was asked for.
func (l lister) end(shown, total int) error {
	var b strings.Builder
	shown += l.filter.Offset
	switch {
	case shown >= total:
	case total <= manyRows && l.filter.Offset == 0:
		fmt.Fprintf(&b, "and %d more: --limit %d\n", total-shown, total)
	default:
		fmt.Fprintf(&b, "and %d more: --page %d\n", total-shown, shown/l.filter.Limit+1)
	}
	if !l.filter.Since.IsZero() || !l.filter.Until.IsZero() {
		b.WriteString("counts are of all failures of these cases, whenever they were\n")
	}
	_, err := io.WriteString(l.d.g.stderr, b.String())
	return err
}

func (l lister) listGroups(ctx context.Context, by datasets.Grouping) error {
	groups, total, err := l.cases.Groups(ctx, by, l.filter)
	switch {
	case err != nil:
		return err
	case len(groups) == 0:
		return l.empty(ctx)
	case l.json:
		return json.NewEncoder(l.d.g.stdout).Encode(groups)
	}
	t := groupTable(by, groups)
	if err := t.print(l.d.g.stdout); err != nil {
		return err
	}
	if by == datasets.ByCause {
		where := ""
		if l.d.g.configPath != "" {
			where += " --config " + cli.Quote(l.d.g.configPath)
		}
		if l.d.store != "" {
			where += " --store " + cli.Quote(l.d.url)
		}
		if _, err := fmt.Fprintf(l.d.g.stdout, "\nsee the questions of a cause: %s datasets list --cause %s%s\n", shellCommand("evalworker"), short(groups[0].Cause), where); err != nil {
			return err
		}
	}
	return l.end(len(groups), total)
}

// groupTable returns the table of groups. What failed has a line of its own, because it
// should not be cut.
func groupTable(by datasets.Grouping, groups []datasets.Group) table {
	var names []column
	switch by {
	case datasets.ByCause:
		names = []column{{name: "cause"}, {name: "prompt", cut: true}}
	case datasets.ByReason, datasets.ByEvaluator:
		names = []column{{name: "evaluator", cut: true}}
	case datasets.ByPrompt:
		names = []column{{name: "prompt", cut: true}}
	case datasets.ByVersion:
		names = []column{{name: "prompt", cut: true}, {name: "version", cut: true}}
	}
	t := table{columns: append(names, column{name: "failures"}, column{name: "cases"}, column{name: "last (UTC)"})}
	if by != datasets.ByVersion {
		t.columns = append(t.columns, column{name: "versions", cut: true})
	}
	for _, g := range groups {
		cells := map[string]string{
			"cause": short(g.Cause), "evaluator": g.Evaluator, "prompt": orNone(g.PromptName), "version": orNone(g.PromptVersion),
			"failures": strconv.Itoa(g.Occurrences), "cases": strconv.Itoa(g.Cases), "last (UTC)": shortTime(g.LastSeen), "versions": versions(g.Versions),
		}
		var row []string
		for _, c := range t.columns {
			row = append(row, cells[c.name])
		}
		t.add(row...)
		switch by {
		case datasets.ByCause:
			t.under = append(t.under, failed(g.Evaluator, g.Reason))
		case datasets.ByReason:
			t.under = append(t.under, orNone(g.Reason))
		}
	}
	return t
}

// failed says what failed. The only reason of some evaluators is their name.
func failed(evaluator, reason string) string {
	return joinNonEmpty(": ", slices.Compact([]string{evaluator, reason})...)
}

// versions returns the first of several versions, which is the latest, and how many
// more there are.
func versions(all []string) string {
	switch len(all) {
	case 0:
		return "(none)"
	case 1:
		return all[0]
	}
	return fmt.Sprintf("%s +%d", all[0], len(all)-1)
}

func orNone(name string) string {
	if name == "" {
		return "(none)"
	}
	return name
}

func short(id string) string { return id[:min(8, len(id))] }

// shortTime returns a time to the minute, in UTC.
func shortTime(t time.Time) string { return t.UTC().Format("01-02 15:04") }

func (l lister) listCases(ctx context.Context) error {
	if l.json {
		return l.writeCases(ctx)
	}
	list, err := l.cases.List(ctx, l.filter)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return l.empty(ctx)
	}
	if l.filter.Cause != "" {
		if err := l.cases.Questions(ctx, list); err != nil {
			return err
		}
		if err := l.printCause(ctx, l.d.g.stdout); err != nil {
			return err
		}
	}
	t := caseTable(list, l.filter.Cause != "")
	if err := t.print(l.d.g.stdout); err != nil {
		return err
	}
	if len(list) < l.filter.Limit && l.filter.Offset == 0 {
		return l.end(len(list), len(list))
	}
	counts, err := l.cases.CountsOf(ctx, l.filter)
	if err != nil {
		return err
	}
	return l.end(len(list), counts.Cases)
}

// writeCases writes the cases as a JSON array, one after the other, because there may be
// more than fit into memory.
func (l lister) writeCases(ctx context.Context) error {
	out := bufio.NewWriterSize(l.d.g.stdout, 64<<10)
	sep := "["
	err := l.cases.Each(ctx, l.filter, func(page []datasets.Case) error {
		if l.filter.Cause != "" {
			if err := l.cases.Questions(ctx, page); err != nil {
				return err
			}
		}
		for i := range page {
			text, err := json.Marshal(&page[i])
			if err != nil {
				return err
			}
			_, _ = out.WriteString(sep) // an error stays, and Flush returns it
			if _, err := out.Write(text); err != nil {
				return err
			}
			sep = ","
		}
		return nil
	})
	if err == nil && sep == "[" {
		return l.empty(ctx)
	}
	if err == nil {
		_, _ = out.WriteString("]\n")
	}
	return errors.Join(err, out.Flush())
}

// printCause prints what the listed cases have in common.
func (l lister) printCause(ctx context.Context, w io.Writer) error {
	of := l.filter
	of.Offset = 0 // it is for the cases
	groups, _, err := l.cases.Groups(ctx, datasets.ByCause, of)
	if err != nil || len(groups) == 0 {
		return err
	}
	seen, total, err := l.cases.Groups(ctx, datasets.ByVersion, of)
	if err != nil {
		return err
	}
	g := groups[0]
	var b strings.Builder
	fmt.Fprintf(&b, "cause %s: %s in %s\n", g.Cause, cli.Plural(g.Occurrences, "failure"), cli.Plural(g.Cases, "case"))
	writeLine(&b, "failed", failed(g.Evaluator, g.Reason))
	writeLine(&b, "prompt", g.PromptName)
	var counts []string
	for _, v := range seen {
		counts = append(counts, fmt.Sprintf("%s (%d)", orNone(v.PromptVersion), v.Occurrences))
	}
	if more := total - len(seen); more > 0 {
		counts = append(counts, fmt.Sprintf("and %d more", more))
	}
	writeLine(&b, "versions", counts...)
	b.WriteString("questions that differ only in numbers are one case\n")
	_, err = io.WriteString(w, printable(b.String())+"\n")
	return err
}

// caseTable returns the table of cases; of those of one cause, it has the questions in
// place of what they have in common.
func caseTable(list []datasets.Case, oneCause bool) table {
	decided := slices.ContainsFunc(list, func(c datasets.Case) bool { return c.Status != datasets.StatusCandidate })
	t := table{columns: []column{{name: "case"}, {name: "seen"}, {name: "last (UTC)"}}}
	if decided {
		t.columns = append(t.columns, column{name: "status"})
	}
	t.columns = append(t.columns, column{name: "version", cut: true})
	if oneCause {
		t.columns = append(t.columns, column{name: "question", cut: true})
	} else {
		t.columns = append(t.columns, column{name: "prompt", cut: true})
	}
	for _, c := range list {
		row := []string{short(c.ID), strconv.Itoa(c.Count), shortTime(c.LastSeen)}
		if decided {
			row = append(row, string(c.Status))
		}
		row = append(row, orNone(c.LastVersion))
		if oneCause {
			t.add(append(row, orNone(c.Question))...)
			continue
		}
		t.add(append(row, orNone(c.PromptName))...)
		t.under = append(t.under, failed(c.Evaluator, c.Reason))
	}
	return t
}
