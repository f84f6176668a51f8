package datasets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/store"
)

// Grouping says what cases are grouped by.
type Grouping string

// The groupings. A cause is an evaluator, a reason and a prompt, and the cases of a
// cause are the questions with which it was seen.
const (
	ByCause     Grouping = "cause"
	ByReason    Grouping = "reason"  // evaluator and reason, whatever the prompt
	ByPrompt    Grouping = "prompt"  // prompt, whatever failed
	ByVersion   Grouping = "version" // prompt and version; a case counts in each of its versions
	ByEvaluator Grouping = "evaluator"
)

// Groupings returns all groupings.
func Groupings() []Grouping {
	return []Grouping{ByCause, ByReason, ByPrompt, ByVersion, ByEvaluator}
}

// Group is a number of cases that have something in common. Fields that they do not
// have in common are empty.
type Group struct {
	Cause         string `json:"cause,omitempty"` // id
	Evaluator     string `json:"evaluator,omitempty"`
	Reason        string `json:"reason,omitempty"`
	PromptName    string `json:"prompt_name,omitempty"`
	PromptVersion string `json:"prompt_version,omitempty"`
	Failures      int    `json:"failures"` // occurrences of the cases
	Cases         int    `json:"cases"`
	// FirstVersion and LastVersion are the prompt versions of the first and of the latest
	// failure; empty when grouped by version.
	FirstVersion string    `json:"first_version,omitempty"`
	LastVersion  string    `json:"last_version,omitempty"`
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
}

// Groups groups the cases that a filter chooses, most failures first, and returns at
// most the filter's limit of groups, and how many there are without it. All
// failures of a case count, also those outside the filter's times.
func (c *Cases) Groups(ctx context.Context, by Grouping, f Filter) ([]Group, int, error) {
	q, err := c.query(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	groups, total, err := c.groups(ctx, by, q, f.Limit)
	if err != nil {
		return nil, 0, fmt.Errorf("group cases by %s: %w", by, err)
	}
	return groups, total, nil
}

func (c *Cases) groups(ctx context.Context, by Grouping, q *query, most int) ([]Group, int, error) {
	// The columns of a group, and where a group holds them.
	columns, fields := "", func(*Group) []any { return nil }
	switch by {
	case ByCause:
		columns, fields = "evaluator, reason, prompt_name", func(g *Group) []any { return []any{&g.Evaluator, &g.Reason, &g.PromptName} }
	case ByReason:
		columns, fields = "evaluator, reason", func(g *Group) []any { return []any{&g.Evaluator, &g.Reason} }
	case ByPrompt:
		columns, fields = "prompt_name", func(g *Group) []any { return []any{&g.PromptName} }
	case ByVersion:
		columns, fields = "prompt_name, prompt_version", func(g *Group) []any { return []any{&g.PromptName, &g.PromptVersion} }
	case ByEvaluator:
		columns, fields = "evaluator", func(g *Group) []any { return []any{&g.Evaluator} }
	default:
		return nil, 0, errors.New("no such grouping")
	}
	// One row a case, or one a case and version.
	rows := "SELECT " + columns + ", count AS failures, " + moment("first_seen", "first_version") + " AS first, " + moment("last_seen", "last_version") +
		" AS last FROM cases c" + q.where()
	if by == ByVersion {
		rows = "SELECT c.prompt_name, o.prompt_version, COUNT(*) AS failures, " + moment("MIN(o.seen)", "''") + " AS first, " + moment("MAX(o.seen)", "''") +
			" AS last FROM cases c JOIN occurrences o ON o.case_id = c.id" + q.where() + " GROUP BY c.id, o.prompt_version"
	}
	total := 0
	scan := func(row store.Row) (Group, error) {
		var g Group
		var first, last string
		err := row.Scan(append(fields(&g), &g.Failures, &g.Cases, &first, &last, &total)...)
		if err != nil {
			return g, err
		}
		if by == ByCause {
			g.Cause = causeID(g.Evaluator, g.Reason, g.PromptName)
		}
		if g.FirstSeen, g.FirstVersion, err = readMoment(first); err != nil {
			return g, err
		}
		g.LastSeen, g.LastVersion, err = readMoment(last)
		return g, err
	}
	out, err := store.Query(ctx, c.store, scan, "SELECT "+columns+", SUM(failures) AS failures, COUNT(*), MIN(first), MAX(last) AS last, COUNT(*) OVER () FROM ("+
		rows+") g GROUP BY "+columns+" ORDER BY SUM(failures) DESC, MAX(last) DESC, "+columns+limit(most), q.args...)
	return out, total, err
}

// epoch is added to a time in milliseconds, so that all times have as many digits.
const epoch = 1_000_000_000_000_000

// moment returns SQL for a time with the version that was current then. The least of
// several is the first one, with its version, and the greatest the latest one.
func moment(seen, version string) string {
	return fmt.Sprintf("(%s + %d) || ' ' || %s", seen, int64(epoch), version)
}

func readMoment(s string) (time.Time, string, error) {
	digits, version, _ := strings.Cut(s, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return time.Time{}, "", fmt.Errorf("time of a group: %w", err)
	}
	return time.UnixMilli(n - epoch).UTC(), version, nil
}

// ErrNoCause says that there is no cause with the given id.
var ErrNoCause = errors.New("no such cause")

// cause returns the evaluator, reason and prompt of the cause whose id begins with a
// text.
func (c *Cases) cause(ctx context.Context, id string) (Group, error) {
	scan := func(row store.Row) (g Group, err error) {
		err = row.Scan(&g.Evaluator, &g.Reason, &g.PromptName)
		g.Cause = causeID(g.Evaluator, g.Reason, g.PromptName)
		return g, err
	}
	all, err := store.Query(ctx, c.store, scan, `SELECT DISTINCT evaluator, reason, prompt_name FROM cases`)
	if err != nil {
		return Group{}, fmt.Errorf("cause %s: %w", id, err)
	}
	matches := slices.DeleteFunc(all, func(g Group) bool { return id == "" || !strings.HasPrefix(g.Cause, id) })
	switch {
	case len(matches) == 0:
		return Group{}, fmt.Errorf("cause %s: %w", id, ErrNoCause)
	case len(matches) > 1:
		return Group{}, fmt.Errorf("cause %s: more than one begins so: %w", id, ErrNoCause)
	}
	return matches[0], nil
}
