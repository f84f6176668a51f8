package datasets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/store"
)

// Cases reads the cases of a store, and changes their status. It is safe for concurrent
// use.
type Cases struct {
	store    *store.Store
	progress func(cases int)
}

// NewCases returns the cases of a store.
func NewCases(s *store.Store) *Cases { return &Cases{store: s, progress: func(int) {}} }

// WithProgress returns the same cases, of which [Cases.Each], [Cases.Rows] and exports call progress with
// the number of cases that they have read since the last call.
func (c *Cases) WithProgress(progress func(cases int)) *Cases {
	return &Cases{store: c.store, progress: progress}
}

// Filter chooses cases. Zero fields choose all, except that dismissed cases are chosen
// only by their status.
type Filter struct {
	Since, Until  time.Time // last seen in [Since, Until)
	Cause         string    // of this cause: its id, or the beginning of it
	Evaluator     string
	PromptName    string
	PromptVersion string // with an occurrence in this version
	Feature       string // with an occurrence in this feature
	Status        Status
	Limit         int // 0: no limit
	Offset        int // so many are left out before the first one
}

// query is the part of a query that chooses rows.
type query struct {
	conds []string
	args  []any
}

// add adds a condition, with a ? in place of each argument.
func (q *query) add(cond string, args ...any) {
	for _, arg := range args {
		q.args = append(q.args, arg)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(q.args)), 1)
	}
	q.conds = append(q.conds, cond)
}

// where returns the conditions as SQL.
func (q *query) where() string {
	if len(q.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(q.conds, " AND ")
}

// order returns the order of a list, with the filter's limit and offset, as SQL.
func (f *Filter) order() string {
	order := " ORDER BY c.count DESC, c.last_seen DESC, c.id"
	if f.Limit > 0 || f.Offset > 0 {
		limit := f.Limit
		if limit <= 0 {
			limit = math.MaxInt32 // SQLite takes no offset without a limit
		}
		order += fmt.Sprintf(" LIMIT %d OFFSET %d", limit, f.Offset)
	}
	return order
}

// placeholders returns the list of the first n arguments of a query.
func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	return b.String()
}

// hasFeatures reports whether occurrences have a feature: not in a store of the first
// version, which commands read as it is.
func (c *Cases) hasFeatures() bool { return c.store.Versions().Store >= 2 }

// query returns the cases that a filter chooses, as conditions on cases c.
func (c *Cases) query(ctx context.Context, f Filter) (*query, error) {
	q := &query{}
	if f.Cause != "" {
		of, err := c.cause(ctx, f.Cause)
		if err != nil {
			return nil, err
		}
		q.add("c.evaluator = ? AND c.reason = ? AND c.prompt_name = ?", of.Evaluator, of.Reason, of.PromptName)
	}
	if !f.Since.IsZero() {
		q.add("c.last_seen >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		q.add("c.last_seen < ?", f.Until.UnixMilli())
	}
	if f.Evaluator != "" {
		q.add("c.evaluator = ?", indexKey(f.Evaluator))
	}
	if f.PromptName != "" {
		q.add("c.prompt_name = ?", storable(f.PromptName))
	}
	if f.PromptVersion != "" {
		q.add("EXISTS (SELECT 1 FROM occurrences o WHERE o.case_id = c.id AND o.prompt_version = ?)", indexKey(f.PromptVersion))
	}
	if f.Feature != "" {
		// Occurrences from before the column existed have the case's own feature.
		if c.hasFeatures() {
			q.add("(c.feature = ? OR EXISTS (SELECT 1 FROM occurrences o WHERE o.case_id = c.id AND o.feature = ?))", storable(f.Feature), indexKey(f.Feature))
		} else {
			q.add("c.feature = ?", storable(f.Feature))
		}
	}
	if f.Status != "" {
		q.add("c.status = ?", storable(string(f.Status)))
	} else {
		q.add("c.status <> ?", string(StatusDismissed))
	}
	return q, nil
}

const caseColumns = `c.id, c.evaluator, c.type, c.reason, c.label, c.feature, c.prompt_name, c.first_version, c.last_version, c.status, c.first_seen, c.last_seen, c.count`

func scanCase(row store.Row) (Case, error) {
	var c Case
	var first, last int64
	err := row.Scan(&c.ID, &c.Evaluator, &c.Type, &c.Reason, &c.Label, &c.Feature, &c.PromptName, &c.FirstVersion, &c.LastVersion, &c.Status, &first, &last, &c.Count)
	c.Cause = causeID(c.Evaluator, c.Reason, c.PromptName)
	c.FirstSeen, c.LastSeen = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return c, err
}

// List returns the cases that a filter chooses, the most frequent first, without
// exemplars. All of them are in memory; see [Cases.Each] for many.
func (c *Cases) List(ctx context.Context, f Filter) ([]Case, error) {
	q, err := c.query(ctx, f)
	if err != nil {
		return nil, err
	}
	out, err := store.Query(ctx, c.store, scanCase, "SELECT "+caseColumns+" FROM cases c"+q.where()+f.order(), q.args...)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	return out, nil
}

// ErrNoCase says that there is no case with the given id.
var ErrNoCase = errors.New("no such case")

// Case returns the case with the given id, its versions and its exemplars. The beginning
// of an id is enough when no other id begins with it.
func (c *Cases) Case(ctx context.Context, id string) (Case, error) {
	out, err := c.find(ctx, id)
	if err != nil {
		return Case{}, err
	}
	out.Versions, err = store.Query(ctx, c.store, scanString,
		`SELECT prompt_version FROM occurrences WHERE case_id = $1 AND prompt_version <> '' GROUP BY prompt_version ORDER BY MAX(seen) DESC, prompt_version`, out.ID)
	if err != nil {
		return Case{}, fmt.Errorf("versions of case %s: %w", out.ID, err)
	}
	exemplars, _, err := c.exemplars(ctx, []Case{out})
	out.Exemplars = exemplars[out.ID]
	return out, err
}

// find returns the case whose id begins with a text.
func (c *Cases) find(ctx context.Context, id string) (Case, error) {
	if id == "" || id != storable(id) {
		return Case{}, fmt.Errorf("case %q: %w", id, ErrNoCase)
	}
	matches, err := store.Query(ctx, c.store, scanCase,
		"SELECT "+caseColumns+" FROM cases c WHERE c.id >= $1 AND c.id < $2 ORDER BY c.id LIMIT 2", id, id+"~")
	switch {
	case err != nil:
		return Case{}, fmt.Errorf("case %s: %w", id, err)
	case len(matches) == 0:
		if of, err := c.cause(ctx, id); err == nil {
			return Case{}, fmt.Errorf("case %s: %w, but a cause begins so: see its cases with datasets list --cause %s", id, ErrNoCase, of.Cause[:8])
		}
		return Case{}, fmt.Errorf("case %s: %w", id, ErrNoCase)
	case len(matches) > 1 && matches[0].ID != id:
		return Case{}, fmt.Errorf("case %s: %w: several begin so; give more of the id", id, ErrNoCase)
	}
	return matches[0], nil
}

// SetStatus gives the case with the given id, or the beginning of it, a status. It
// returns the case as it was before.
func (c *Cases) SetStatus(ctx context.Context, id string, status Status) (Case, error) {
	before, err := c.find(ctx, id)
	if err != nil {
		return Case{}, err
	}
	err = c.store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE cases SET status = $1 WHERE id = $2`, string(status), before.ID)
		return err
	})
	if err != nil {
		return Case{}, fmt.Errorf("status of case %s: %w", before.ID, err)
	}
	return before, nil
}

func scanString(row store.Row) (s string, err error) {
	err = row.Scan(&s)
	return s, err
}

func readExemplar(of Case, body string) (Exemplar, error) {
	x := Exemplar{Feature: of.Feature, PromptName: of.PromptName} // older bodies lack these
	err := json.Unmarshal([]byte(body), &x)
	x.completeIDs()
	return x, err
}

// Questions sets the question of each case: what the first exemplar's user said last. It
// stays empty when that was withheld or is deleted.
func (c *Cases) Questions(ctx context.Context, of []Case) error {
	for page := range slices.Chunk(of, firstPage) {
		byID := map[string]*Case{}
		var ids []any
		for i := range page {
			byID[page[i].ID], ids = &page[i], append(ids, page[i].ID)
		}
		set := func(row store.Row) error {
			var id string
			var body sql.NullString
			if err := row.Scan(&id, &body); err != nil || !body.Valid {
				return err
			}
			x, err := readExemplar(*byID[id], body.String)
			byID[id].Question = lastQuestion(&event.Event{Input: event.JSON(x.Input), Comment: x.Comment})
			return err
		}
		err := store.Each(ctx, c.store, set, `
			SELECT c.id, (SELECT body FROM exemplars x WHERE x.case_id = c.id ORDER BY x.seen, x.request_id LIMIT 1)
			FROM cases c WHERE c.id IN (`+placeholders(len(ids))+`)`, ids...)
		if err != nil {
			return fmt.Errorf("questions: %w", err)
		}
	}
	return nil
}

// Counts are the numbers of cases and occurrences in a store.
type Counts struct {
	Cases       int `json:"cases"`
	Occurrences int `json:"occurrences"`
}

// Counts counts all cases, even dismissed ones, and their occurrences.
func (c *Cases) Counts(ctx context.Context) (Counts, error) { return c.counts(ctx, &query{}) }

// CountsOf counts the cases that a filter chooses, whatever its limit, and their
// occurrences.
func (c *Cases) CountsOf(ctx context.Context, f Filter) (Counts, error) {
	q, err := c.query(ctx, f)
	if err != nil {
		return Counts{}, err
	}
	return c.counts(ctx, q)
}

func (c *Cases) counts(ctx context.Context, q *query) (Counts, error) {
	scan := func(row store.Row) (n Counts, err error) {
		err = row.Scan(&n.Cases, &n.Occurrences)
		return n, err
	}
	out, err := store.Query(ctx, c.store, scan, `SELECT COUNT(*), COALESCE(SUM(count), 0) FROM cases c`+q.where(), q.args...)
	if err != nil {
		return Counts{}, fmt.Errorf("count cases: %w", err)
	}
	return out[0], nil
}
