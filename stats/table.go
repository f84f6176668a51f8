package stats

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Key names a series of verdicts. Versions are compared within one PromptName
// and one Eval. Every part may be empty, which is an ordinary value.
type Key struct {
	PromptName    string `json:"prompt_name"`
	PromptVersion string `json:"prompt_version"`
	Eval          string `json:"eval"`
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.PromptName, o.PromptName), cmp.Compare(k.Eval, o.Eval), cmp.Compare(k.PromptVersion, o.PromptVersion))
}

// Other replaces the prompt and the version of verdicts that were added to a full
// table. Comparisons ignore it.
const Other = "(other)"

// maxKeys bounds a table, at about 200 bytes per key. Only ids in place of versions
// make so many keys.
const maxKeys = 10_000

// Table holds cells by key. The zero value is empty. It is safe for concurrent use.
// A table with 10,000 keys counts verdicts of further keys under {Other, Other,
// Eval}, so that totals stay right.
type Table struct {
	mu    sync.Mutex
	cells map[Key]*Cell // guarded by mu
}

// Add counts one verdict. See [Cell.Add].
func (t *Table) Add(k Key, o Outcome, p float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cell(k).Add(o, p)
}

// Put merges a cell into the one under the key.
func (t *Table) Put(k Key, c Cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cell(k).Merge(c)
}

// Merge merges all cells of another table.
func (t *Table) Merge(o *Table) {
	for k, c := range o.All() { // All copies, so the two locks are never held together
		t.Put(k, c)
	}
}

// cell returns the cell for a key, or the one for Other in a full table. The caller
// holds mu.
func (t *Table) cell(k Key) *Cell {
	c, ok := t.cells[k]
	if !ok && len(t.cells) >= maxKeys {
		k = Key{Other, Other, k.Eval}
		c, ok = t.cells[k]
	}
	if !ok {
		if t.cells == nil {
			t.cells = map[Key]*Cell{}
		}
		c = new(Cell)
		t.cells[k] = c
	}
	return c
}

// Cell returns a copy of the cell under a key, or an empty cell.
func (t *Table) Cell(k Key) Cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.cells[k]; ok {
		return *c
	}
	return Cell{}
}

// Len returns the number of keys.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.cells)
}

// All returns a copy of the cells, ordered by prompt, evaluator and version.
func (t *Table) All() iter.Seq2[Key, Cell] {
	t.mu.Lock()
	copied := make(map[Key]Cell, len(t.cells))
	for k, c := range t.cells {
		copied[k] = *c
	}
	t.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(copied), Key.compare)
	return func(yield func(Key, Cell) bool) {
		for _, k := range keys {
			if !yield(k, copied[k]) {
				return
			}
		}
	}
}

// row is a key and its cell, as one flat JSON object.
type row struct {
	Key
	Cell
}

// MarshalJSON returns a list of rows, each with the fields of a key and its cell,
// in the order of All.
func (t *Table) MarshalJSON() ([]byte, error) {
	rows := []row{}
	for k, c := range t.All() {
		rows = append(rows, row{k, c})
	}
	return json.Marshal(rows)
}

// UnmarshalJSON replaces the table by a list of rows. Rows of one key are merged.
// Numbers that no series of verdicts could have produced are an error.
func (t *Table) UnmarshalJSON(b []byte) error {
	var rows []row
	if err := json.Unmarshal(b, &rows); err != nil {
		return err
	}
	for i, r := range rows {
		if !r.valid() {
			return fmt.Errorf("row %d: counts and sums contradict each other", i)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cells = nil
	for _, r := range rows {
		t.cell(r.Key).Merge(r.Cell)
	}
	return nil
}
