package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
)

// limit is the value of --limit. Without the flag it means all; an explicit 0 is a
// fault.
type limit struct {
	most  int
	given bool
}

// Set parses the value.
func (l *limit) Set(s string) (err error) {
	if l.most, err = strconv.Atoi(s); err != nil {
		return cli.Want("a number from 1")
	}
	l.given = true
	return nil
}

// String returns the value; empty before Set, so that the help shows no default.
func (l *limit) String() string {
	if !l.given {
		return ""
	}
	return strconv.Itoa(l.most)
}

// Type names the value in the help.
func (*limit) Type() string { return "int" }

func (l *limit) check(faults *fault.List) {
	if l.given && l.most < 1 {
		faults.Add("--limit", fmt.Sprintf("%d is out of range", l.most), "want 1 or more")
	}
}

// page is the value of --page, counted from 1.
type page struct{ limit }

func (p *page) check(faults *fault.List) {
	if p.given && p.most < 1 {
		faults.Add("--page", fmt.Sprintf("%d is out of range", p.most), "want 1 or more")
	}
}

// offset returns how many rows are on the pages before, with so many on each.
func (p *page) offset(rows int) int {
	if !p.given {
		return 0
	}
	return (p.most - 1) * rows
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
