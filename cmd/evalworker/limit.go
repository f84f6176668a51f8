package main

import (
	"fmt"
	"strconv"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config/fault"
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
