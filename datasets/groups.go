package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	Cases         int    `json:"cases"`
	Occurrences   int    `json:"occurrences"` // of all these cases: the failures
	// Versions are the prompt versions in which the cases were seen: that of the latest
	// failure, then the others by name. Empty when grouped by version.
	Versions  []string  `json:"versions,omitempty"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// key returns what the cases of a group have in common.
func (g *Group) key() [4]string {
	return [4]string{g.Evaluator, g.Reason, g.PromptName, g.PromptVersion}
}

// columns returns what a grouping has in common as columns, and where a group holds
// them.
func (by Grouping) columns() ([]string, func(*Group) []any) {
	switch by {
	case ByCause:
		return []string{"c.evaluator", "c.reason", "c.prompt_name"}, func(g *Group) []any { return []any{&g.Evaluator, &g.Reason, &g.PromptName} }
	case ByReason:
		return []string{"c.evaluator", "c.reason"}, func(g *Group) []any { return []any{&g.Evaluator, &g.Reason} }
	case ByPrompt:
		return []string{"c.prompt_name"}, func(g *Group) []any { return []any{&g.PromptName} }
	case ByVersion:
		return []string{"c.prompt_name", "o.prompt_version"}, func(g *Group) []any { return []any{&g.PromptName, &g.PromptVersion} }
	case ByEvaluator:
		return []string{"c.evaluator"}, func(g *Group) []any { return []any{&g.Evaluator} }
	}
	return nil, nil
}

// Groups groups the cases that a filter chooses, most failures first, and returns at
// most the filter's limit of groups, and how many there are without it. All
// failures of a case count, also those outside the filter's times.
func (c *Cases) Groups(ctx context.Context, by Grouping, f Filter) ([]Group, int, error) {
	if columns, _ := by.columns(); columns == nil {
		return nil, 0, fmt.Errorf("group cases by %q: no such grouping", string(by))
	}
	q, err := c.query(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	var groups []Group
	if by == ByVersion {
		groups, err = c.byVersion(ctx, q)
	} else {
		groups, err = c.grouped(ctx, by, q)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("group cases by %s: %w", by, err)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		x, y := a.key(), b.key()
		return cmp.Or(cmp.Compare(b.Occurrences, a.Occurrences), b.LastSeen.Compare(a.LastSeen), slices.Compare(x[:], y[:]))
	})
	total := len(groups)
	groups = groups[min(total, f.Offset):]
	if f.Limit > 0 {
		groups = groups[:min(len(groups), f.Limit)]
	}
	if by != ByVersion {
		if err := c.addVersions(ctx, by, q, groups); err != nil {
			return nil, 0, fmt.Errorf("versions of groups by %s: %w", by, err)
		}
	}
	return groups, total, nil
}

// grouped groups by columns of cases, without versions.
func (c *Cases) grouped(ctx context.Context, by Grouping, q *query) ([]Group, error) {
	columns, fields := by.columns()
	names := strings.Join(columns, ", ")
	scan := func(row store.Row) (g Group, err error) {
		var first, last int64
		err = row.Scan(append(fields(&g), &g.Occurrences, &g.Cases, &first, &last)...)
		g.FirstSeen, g.LastSeen = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		if by == ByCause {
			g.Cause = causeID(g.Evaluator, g.Reason, g.PromptName)
		}
		return g, err
	}
	return store.Query(ctx, c.store, scan, "SELECT "+names+", SUM(c.count), COUNT(*), MIN(c.first_seen), MAX(c.last_seen) FROM cases c"+
		q.where()+" GROUP BY "+names, q.args...)
}

// maxNamedGroups bounds the groups that a query names. A query for the versions of more
// groups reads those of all.
const maxNamedGroups = 500

// addVersions sets the versions of groups. It reads one row for all cases of a group with
// the same first and last version; those are all versions of a case that was seen at
// most twice.
func (c *Cases) addVersions(ctx context.Context, by Grouping, q *query, groups []Group) error {
	if len(groups) == 0 {
		return nil
	}
	columns, fields := by.columns()
	names := strings.Join(columns, ", ")
	index := make(map[[4]string]*Group, len(groups))
	for i := range groups {
		index[groups[i].key()] = &groups[i]
	}
	of := &query{conds: slices.Clone(q.conds), args: slices.Clone(q.args)}
	if len(groups) <= maxNamedGroups {
		of.addGroups(columns, fields, groups)
	}
	latest := map[*Group]int64{} // when the version was seen that stands first
	addEnds := func(row store.Row) error {
		var key Group
		var first, last string
		var seen int64
		err := row.Scan(append(fields(&key), &first, &last, &seen)...)
		g, ok := index[key.key()]
		if !ok {
			return err // of another group, or new since the groups were read
		}
		if at, ok := latest[g]; !ok || seen > at {
			latest[g] = seen
			g.Versions = append([]string{last, first}, g.Versions...)
		} else {
			g.Versions = append(g.Versions, last, first)
		}
		return err
	}
	err := store.Each(ctx, c.store, addEnds, "SELECT "+names+", c.first_version, c.last_version, MAX(c.last_seen) FROM cases c"+
		of.where()+" GROUP BY "+names+", c.first_version, c.last_version", of.args...)
	if err != nil {
		return err
	}
	addVersion := func(row store.Row) error {
		var key Group
		var version string
		err := row.Scan(append(fields(&key), &version)...)
		if g, ok := index[key.key()]; ok {
			g.Versions = append(g.Versions, version)
		}
		return err
	}
	of.conds = append(of.conds, "c.count > 2", "o.case_id = c.id")
	// SQLite makes a cross join in this order: it would begin with all occurrences.
	err = store.Each(ctx, c.store, addVersion, "SELECT DISTINCT "+names+", o.prompt_version FROM cases c CROSS JOIN occurrences o"+of.where(), of.args...)
	for i := range groups {
		groups[i].Versions = latestFirst(groups[i].Versions)
	}
	return err
}

// addGroups adds the condition that a case belongs to one of the groups.
func (q *query) addGroups(columns []string, fields func(*Group) []any, groups []Group) {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")"
	var values []any
	for i := range groups {
		for _, field := range fields(&groups[i]) {
			values = append(values, *field.(*string)) // all columns are texts
		}
	}
	q.add("("+strings.Join(columns, ", ")+") IN (VALUES "+strings.TrimSuffix(strings.Repeat(row+", ", len(groups)), ", ")+")", values...)
}

// latestFirst returns the versions without repetition and without an empty one: the
// first of them, then the others by name.
func latestFirst(versions []string) []string {
	if len(versions) == 0 {
		return nil
	}
	latest := versions[0]
	slices.Sort(versions)
	out := slices.DeleteFunc(slices.Compact(versions), func(v string) bool { return v == "" || v == latest })
	if latest == "" {
		return out
	}
	return append([]string{latest}, out...)
}

// byVersion groups by prompt and version.
func (c *Cases) byVersion(ctx context.Context, q *query) ([]Group, error) {
	_, fields := ByVersion.columns()
	scan := func(row store.Row) (g Group, err error) {
		var first, last int64
		err = row.Scan(append(fields(&g), &g.Occurrences, &g.Cases, &first, &last)...)
		g.FirstSeen, g.LastSeen = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		return g, err
	}
	// One row a case and version first, so that cases need not be counted apart.
	return store.Query(ctx, c.store, scan, `SELECT prompt_name, prompt_version, SUM(n), COUNT(*), MIN(first), MAX(last) FROM (
			SELECT c.prompt_name, o.prompt_version, COUNT(*) AS n, MIN(o.seen) AS first, MAX(o.seen) AS last
			FROM cases c JOIN occurrences o ON o.case_id = c.id`+q.where()+` GROUP BY c.id, o.prompt_version) g
		GROUP BY prompt_name, prompt_version`, q.args...)
}

// ErrNoCause says that there is no cause with the given id.
var ErrNoCause = errors.New("no such cause")

// cause returns the evaluator, reason and prompt of the cause whose id begins with a
// text.
func (c *Cases) cause(ctx context.Context, id string) (Group, error) {
	if id == "" {
		return Group{}, fmt.Errorf("cause %q: %w", id, ErrNoCause)
	}
	var matches []Group
	match := func(row store.Row) error {
		var g Group
		err := row.Scan(&g.Evaluator, &g.Reason, &g.PromptName)
		g.Cause = causeID(g.Evaluator, g.Reason, g.PromptName)
		if strings.HasPrefix(g.Cause, id) {
			matches = append(matches, g)
		}
		return err
	}
	err := store.Each(ctx, c.store, match, `SELECT DISTINCT evaluator, reason, prompt_name FROM cases`)
	switch {
	case err != nil:
		return Group{}, fmt.Errorf("cause %s: %w", id, err)
	case len(matches) == 0:
		return Group{}, fmt.Errorf("cause %s: %w", id, ErrNoCause)
	case len(matches) > 1:
		return Group{}, fmt.Errorf("cause %s: %w: several begin so; give more of the id", id, ErrNoCause)
	}
	return matches[0], nil
}
