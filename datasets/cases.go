package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Filter chooses cases. Zero fields choose all.
type Filter struct {
	Since, Until  time.Time // last seen in [Since, Until)
	Evaluator     string
	PromptVersion string // with an occurrence in this version
	Feature       string // with an occurrence in this feature
	Status        Status
	Limit         int // 0: no limit
}

// where gives the filter as SQL.
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
		add("c.evaluator = ?", indexed(f.Evaluator))
	}
	if f.PromptVersion != "" {
		add("EXISTS (SELECT 1 FROM occurrences o WHERE o.case_id = c.id AND o.prompt_version = ?)", indexed(f.PromptVersion))
	}
	if f.Feature != "" {
		// The case's own for occurrences of before there was a column for it.
		add("(c.feature = ? OR EXISTS (SELECT 1 FROM occurrences o WHERE o.case_id = c.id AND o.feature = ?))", clean(f.Feature), indexed(f.Feature))
	}
	if f.Status != "" {
		add("c.status = ?", clean(string(f.Status)))
	}
	sql := ""
	if len(conds) > 0 {
		sql = " WHERE " + strings.Join(conds, " AND ")
	}
	sql += " ORDER BY c.count DESC, c.last_seen DESC, c.id"
	if f.Limit > 0 {
		sql += " LIMIT " + strconv.Itoa(f.Limit)
	}
	return sql, args
}

const caseColumns = `c.id, c.evaluator, c.type, c.reason, c.label, c.feature, c.prompt_name, c.first_version, c.last_version, c.status, c.first_seen, c.last_seen, c.count`

func scanCase(row interface{ Scan(...any) error }) (Case, error) {
	var c Case
	var first, last int64
	err := row.Scan(&c.ID, &c.Evaluator, &c.Type, &c.Reason, &c.Label, &c.Feature, &c.PromptName, &c.FirstVersion, &c.LastVersion, &c.Status, &first, &last, &c.Count)
	c.FirstSeen, c.LastSeen = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return c, err
}

// List gives the cases that a filter chooses, the most frequent first, without
// exemplars.
func (s *Store) List(ctx context.Context, f Filter) (_ []Case, err error) {
	where, args := f.where()
	rows, err := s.db.QueryContext(ctx, "SELECT "+caseColumns+" FROM cases c"+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", s.engine.explain(err))
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := []Case{}
	for rows.Next() {
		c, err := scanCase(rows)
		if err != nil {
			return nil, fmt.Errorf("list cases: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// ErrNoCase says that there is no case of that id.
var ErrNoCase = errors.New("no such case")

// Case gives the case of that id with its exemplars. The beginning of an id is
// enough when no other id begins so.
func (s *Store) Case(ctx context.Context, id string) (Case, error) {
	if id == "" || id != clean(id) {
		return Case{}, fmt.Errorf("case %q: %w", id, ErrNoCase)
	}
	rows, err := s.db.QueryContext(ctx, "SELECT "+caseColumns+" FROM cases c WHERE c.id >= $1 AND c.id < $2 ORDER BY c.id LIMIT 2", id, id+"~")
	if err != nil {
		return Case{}, fmt.Errorf("case %s: %w", id, err)
	}
	var found []Case
	for rows.Next() {
		c, err := scanCase(rows)
		if err != nil {
			return Case{}, errors.Join(fmt.Errorf("case %s: %w", id, err), rows.Close())
		}
		found = append(found, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return Case{}, fmt.Errorf("case %s: %w", id, err)
	}
	switch {
	case len(found) == 0:
		return Case{}, fmt.Errorf("case %s: %w", id, ErrNoCase)
	case len(found) > 1 && found[0].ID != id:
		return Case{}, fmt.Errorf("case %s: more than one begins so: %w", id, ErrNoCase)
	}
	c := found[0]
	c.Exemplars, err = s.exemplars(ctx, c)
	return c, err
}

// exemplars gives a case's exemplars, the oldest first.
func (s *Store) exemplars(ctx context.Context, c Case) (_ []Exemplar, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT body FROM exemplars WHERE case_id = $1 ORDER BY seen, request_id`, c.ID)
	if err != nil {
		return nil, fmt.Errorf("exemplars of case %s: %w", c.ID, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Exemplar
	for rows.Next() {
		var body string
		x := Exemplar{Feature: c.Feature, PromptName: c.PromptName} // what older bodies do not say
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("exemplars of case %s: %w", c.ID, err)
		}
		if err := json.Unmarshal([]byte(body), &x); err != nil {
			return nil, fmt.Errorf("exemplars of case %s: %w", c.ID, err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Counts says how much a store holds.
type Counts struct {
	Cases       int `json:"cases"`
	Occurrences int `json:"occurrences"`
}

// Counts counts all cases, and the failures for which they stand.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := s.db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(count), 0) FROM cases`).Scan(&c.Cases, &c.Occurrences)
	if err != nil {
		return Counts{}, fmt.Errorf("count cases: %w", err)
	}
	return c, nil
}
