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
	if f.Limit > 0 {
		groups = groups[:min(total, f.Limit)]
	}
	return groups, total, nil
}

// grouped groups by columns of cases. It reads one row for all cases of a group with
// the same first and last version; those are all versions of a case that was seen at
// most twice.
func (c *Cases) grouped(ctx context.Context, by Grouping, q *query) ([]Group, error) {
	columns, fields := by.columns()
	names := strings.Join(columns, ", ")
	index := map[[4]string]int{}
	groups := []Group{}
	addGroup := func(row store.Row) error {
		var g Group
		var firstVersion, lastVersion string
		var first, last int64
		if err := row.Scan(append(fields(&g), &firstVersion, &lastVersion, &g.Occurrences, &g.Cases, &first, &last)...); err != nil {
			return err
		}
		g.FirstSeen, g.LastSeen, g.Versions = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC(), []string{lastVersion, firstVersion}
		i, ok := index[g.key()]
		if !ok {
			index[g.key()] = len(groups)
			groups = append(groups, g)
		} else {
			groups[i].join(g)
		}
		return nil
	}
	err := store.Each(ctx, c.store, addGroup, "SELECT "+names+", c.first_version, c.last_version, SUM(c.count), COUNT(*), MIN(c.first_seen), MAX(c.last_seen) FROM cases c"+
		q.where()+" GROUP BY "+names+", c.first_version, c.last_version", q.args...)
	if err != nil {
		return nil, err
	}
	often := *q
	often.conds = append(slices.Clone(q.conds), "c.count > 2")
	addVersion := func(row store.Row) error {
		var g Group
		var version string
		err := row.Scan(append(fields(&g), &version)...)
		if i, ok := index[g.key()]; ok { // else it is new since the query before
			groups[i].Versions = append(groups[i].Versions, version)
		}
		return err
	}
	err = store.Each(ctx, c.store, addVersion, "SELECT DISTINCT "+names+", o.prompt_version FROM cases c JOIN occurrences o ON o.case_id = c.id"+often.where(), often.args...)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		g := &groups[i]
		if by == ByCause {
			g.Cause = causeID(g.Evaluator, g.Reason, g.PromptName)
		}
		g.Versions = latestFirst(g.Versions)
	}
	return groups, nil
}

// join adds a group to another one with the same key.
func (g *Group) join(other Group) {
	g.Occurrences += other.Occurrences
	g.Cases += other.Cases
	if other.FirstSeen.Before(g.FirstSeen) {
		g.FirstSeen = other.FirstSeen
	}
	if other.LastSeen.After(g.LastSeen) {
		g.LastSeen = other.LastSeen
		g.Versions = append(other.Versions, g.Versions...)
		return
	}
	g.Versions = append(g.Versions, other.Versions...)
}

// latestFirst returns the versions without repetition and without an empty one: the
// first of them, then the others by name.
func latestFirst(versions []string) []string {
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
