package datasets

import (
	"context"
	"fmt"

	"github.com/evalworker/evalworker/store"
)

// Bounds of a page: the number of cases that are read with one query. It grows while the
// exemplars of a page are few bytes, and shrinks when they are many.
const (
	firstPage  = 50
	maxPage    = 1000
	smallBytes = 256 << 10
	largeBytes = 1 << 20
)

// Each calls fn with the cases that a filter chooses, some at a time, in the order of List
// and without exemplars. It ends with the first error of fn.
func (c *Cases) Each(ctx context.Context, f Filter, fn func([]Case) error) error {
	return c.pages(ctx, f, func(page []Case) (int, error) { return 0, fn(page) })
}

// pages calls fn with the cases that a filter chooses, a page at a time, in the order of
// List. fn returns the bytes that it has read for the page.
//
// The ids are read at once and the rest in pages, so that no query is open while fn waits
// for a slow reader: in SQLite it would keep the write-ahead log from being emptied. Each
// case comes once, in whatever order new failures put the cases meanwhile.
func (c *Cases) pages(ctx context.Context, f Filter, fn func([]Case) (bytes int, err error)) error {
	q, err := c.query(ctx, f)
	if err != nil {
		return err
	}
	ids, err := store.Query(ctx, c.store, scanString, "SELECT c.id FROM cases c"+q.where()+f.order(), q.args...)
	if err != nil {
		return fmt.Errorf("list cases: %w", err)
	}
	for size := firstPage; len(ids) > 0; {
		some := ids[:min(size, len(ids))]
		ids = ids[len(some):]
		page, err := c.withIDs(ctx, some)
		if err != nil {
			return fmt.Errorf("list cases: %w", err)
		}
		bytes, err := fn(page)
		if err != nil {
			return err
		}
		c.progress(len(some))
		switch {
		case bytes < smallBytes:
			size = min(2*size, maxPage)
		case bytes > largeBytes:
			size = max(size/2, 1)
		}
	}
	return nil
}

// withIDs returns the cases with the given ids, in their order; without those that were
// deleted.
func (c *Cases) withIDs(ctx context.Context, ids []string) ([]Case, error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	found := make(map[string]Case, len(ids))
	add := func(row store.Row) error {
		of, err := scanCase(row)
		found[of.ID] = of
		return err
	}
	if err := store.Each(ctx, c.store, add, "SELECT "+caseColumns+" FROM cases c WHERE c.id IN ("+placeholders(len(ids))+")", args...); err != nil {
		return nil, err
	}
	page := make([]Case, 0, len(found))
	for _, id := range ids {
		if of, ok := found[id]; ok {
			page = append(page, of)
		}
	}
	return page, nil
}

// exemplars returns the exemplars of a page of cases by case id, the oldest first, and
// their bytes in the store.
func (c *Cases) exemplars(ctx context.Context, of []Case) (map[string][]Exemplar, int, error) {
	byID := make(map[string]Case, len(of))
	ids := make([]any, 0, len(of))
	for _, c := range of {
		byID[c.ID], ids = c, append(ids, c.ID)
	}
	out := make(map[string][]Exemplar, len(of))
	bytes := 0
	add := func(row store.Row) error {
		var id, body string
		if err := row.Scan(&id, &body); err != nil {
			return err
		}
		bytes += len(body)
		x, err := readExemplar(byID[id], body)
		out[id] = append(out[id], x)
		return err
	}
	err := store.Each(ctx, c.store, add,
		`SELECT case_id, body FROM exemplars WHERE case_id IN (`+placeholders(len(ids))+`) ORDER BY case_id, seen, request_id`, ids...)
	if err != nil {
		return nil, 0, fmt.Errorf("exemplars: %w", err)
	}
	return out, bytes, nil
}
