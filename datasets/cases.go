package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/store"
)

// Cases reads the cases of a store. It is safe for concurrent use.
type Cases struct{ store *store.Store }

// NewCases returns the cases of a store.
func NewCases(s *store.Store) *Cases { return &Cases{s} }

// Filter chooses cases. Zero fields choose all.
type Filter struct {
	Since, Until  time.Time // last seen in [Since, Until)
	Evaluator     string
	PromptVersion string // with an occurrence in this version
	Feature       string // with an occurrence in this feature
	Status        Status
	Limit         int // 0: no limit
}

// where returns the filter as SQL.
func (f Filter) where() (string, []any) {
	var conds []string
	var args []any
	add := func(cond string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		conds = append(conds, cond)
	}
	if !f.Since.IsZero() {
		add("c.last_seen >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		add("c.last_seen < ?", f.Until.UnixMilli())
	}
	if f.Evaluator != "" {
		add("c.evaluator = ?", indexKey(f.Evaluator))
	}
	if f.PromptVersion != "" {
		add("EXISTS (SELECT 1 FROM occurrences o WHERE o.case_id = c.id AND o.prompt_version = ?)", indexKey(f.PromptVersion))
	}
	if f.Feature != "" {
		// Occurrences from before the column existed have the case's own feature.
		add("(c.feature = ? OR EXISTS (SELECT 1 FROM occurrences o WHERE o.case_id = c.id AND o.feature = ?))", storable(f.Feature), indexKey(f.Feature))
	}
	if f.Status != "" {
		add("c.status = ?", storable(string(f.Status)))
	}
	clause := ""
	if len(conds) > 0 {
		clause = " WHERE " + strings.Join(conds, " AND ")
	}
	clause += " ORDER BY c.count DESC, c.last_seen DESC, c.id"
	if f.Limit > 0 {
		clause += " LIMIT " + strconv.Itoa(f.Limit)
	}
	return clause, args
}

const caseColumns = `c.id, c.evaluator, c.type, c.reason, c.label, c.feature, c.prompt_name, c.first_version, c.last_version, c.status, c.first_seen, c.last_seen, c.count`

func scanCase(row store.Row) (Case, error) {
	var c Case
	var first, last int64
	err := row.Scan(&c.ID, &c.Evaluator, &c.Type, &c.Reason, &c.Label, &c.Feature, &c.PromptName, &c.FirstVersion, &c.LastVersion, &c.Status, &first, &last, &c.Count)
	c.FirstSeen, c.LastSeen = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return c, err
}

// List returns the cases that a filter chooses, the most frequent first, without
// exemplars.
func (c *Cases) List(ctx context.Context, f Filter) ([]Case, error) {
	where, args := f.where()
	out, err := store.Query(ctx, c.store, scanCase, "SELECT "+caseColumns+" FROM cases c"+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	return out, nil
}

// ErrNoCase says that there is no case with the given id.
var ErrNoCase = errors.New("no such case")

// Case returns the case with the given id and its exemplars. The beginning of an id is
// enough when no other id begins with it.
func (c *Cases) Case(ctx context.Context, id string) (Case, error) {
	if id == "" || id != storable(id) {
		return Case{}, fmt.Errorf("case %q: %w", id, ErrNoCase)
	}
	matches, err := store.Query(ctx, c.store, scanCase,
		"SELECT "+caseColumns+" FROM cases c WHERE c.id >= $1 AND c.id < $2 ORDER BY c.id LIMIT 2", id, id+"~")
	switch {
	case err != nil:
		return Case{}, fmt.Errorf("case %s: %w", id, err)
	case len(matches) == 0:
		return Case{}, fmt.Errorf("case %s: %w", id, ErrNoCase)
	case len(matches) > 1 && matches[0].ID != id:
		return Case{}, fmt.Errorf("case %s: more than one begins so: %w", id, ErrNoCase)
	}
	out := matches[0]
	out.Exemplars, err = c.exemplars(ctx, out)
	return out, err
}

// exemplars returns the exemplars of a case, the oldest first.
func (c *Cases) exemplars(ctx context.Context, of Case) ([]Exemplar, error) {
	scan := func(row store.Row) (Exemplar, error) {
		var body string
		x := Exemplar{Feature: of.Feature, PromptName: of.PromptName} // older bodies lack these
		if err := row.Scan(&body); err != nil {
			return x, err
		}
		err := json.Unmarshal([]byte(body), &x)
		return x, err
	}
	out, err := store.Query(ctx, c.store, scan, `SELECT body FROM exemplars WHERE case_id = $1 ORDER BY seen, request_id`, of.ID)
	if err != nil {
		return nil, fmt.Errorf("exemplars of case %s: %w", of.ID, err)
	}
	return out, nil
}

// Counts are the numbers of cases and occurrences in a store.
type Counts struct {
	Cases       int `json:"cases"`
	Occurrences int `json:"occurrences"`
}

// Counts counts all cases and their occurrences.
func (c *Cases) Counts(ctx context.Context) (Counts, error) {
	scan := func(row store.Row) (n Counts, err error) {
		err = row.Scan(&n.Cases, &n.Occurrences)
		return n, err
	}
	out, err := store.Query(ctx, c.store, scan, `SELECT COUNT(*), COALESCE(SUM(count), 0) FROM cases`)
	if err != nil {
		return Counts{}, fmt.Errorf("count cases: %w", err)
	}
	return out[0], nil
}
