package stats

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
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

// maxKeys bounds a table, at about 1 kB per key. Only ids in place of versions
// make so many keys.
const maxKeys = 10_000

// maxOpen bounds the units whose sums are held apart because more of their verdicts
// may come, at about 300 bytes each.
const maxOpen = 20_000

// Table holds cells by key. The zero value is empty. It is safe for concurrent use.
// A table with 10,000 keys counts verdicts of further keys under {Other, Other,
// Eval}, so that totals stay right.
type Table struct {
	mu    sync.Mutex
	cells map[Key]*Cell       // guarded by mu
	open  map[keyedUnit]*unit // guarded by mu
	order []keyedUnit         // of open, as a ring once it is full; guarded by mu
	next  int                 // the oldest in order once it is full; guarded by mu
}

// keyedUnit is a unit within one cell.
type keyedUnit struct {
	Key
	id string
}

// Verdict is one verdict as a table counts it.
type Verdict struct {
	Outcome     Outcome
	Probability float64 // with which it was sampled, in (0,1]
	// Unit is the id of the trace or session that the verdict belongs to: verdicts of
	// one unit may agree because they have a cause in common. Without one the verdict
	// is a unit of its own.
	Unit string
	At   time.Time // of the event; zero when it is not known
}

// Add counts one verdict. See [Cell.Add] for outcomes and probabilities.
//
// The sums of the 20,000 units that began last are held apart until more of their
// verdicts have come. A unit that goes on later than that counts as two.
func (t *Table) Add(k Key, v Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, in := t.cell(k)
	if at := v.At.UnixMilli(); at > 0 { // a time before 1970 is a mistake of the publisher
		c.saw(at, at)
	}
	w := c.count(v.Outcome, v.Probability)
	if w == 0 {
		return
	}
	if v.Unit == "" {
		var u unit
		u.add(v.Outcome, w)
		c.close(u)
		return
	}
	in.id = v.Unit
	u, ok := t.open[in]
	if !ok {
		u = new(unit)
		t.begin(in, u)
	}
	u.add(v.Outcome, w)
}

// Expect counts one event that the evaluator of a key could have run on, whether it was
// sampled or not, with the probability p of being sampled. The event stands for so many
// events: 1, or more where not all events reach the table. See [Cell.Expect].
func (t *Table) Expect(k Key, p, events float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, _ := t.cell(k)
	c.expect(p, events)
}

// begin holds a unit apart, and closes the oldest one when there are too many. The
// caller holds mu.
func (t *Table) begin(in keyedUnit, u *unit) {
	if t.open == nil {
		t.open = map[keyedUnit]*unit{}
	}
	if len(t.order) < maxOpen {
		t.order = append(t.order, in)
	} else {
		oldest := t.order[t.next]
		t.cells[oldest.Key].close(*t.open[oldest])
		delete(t.open, oldest)
		t.order[t.next] = in
		t.next = (t.next + 1) % maxOpen
	}
	t.open[in] = u
}

// Put merges a cell into the one under the key.
func (t *Table) Put(k Key, c Cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	into, _ := t.cell(k)
	into.Merge(c)
}

// Merge merges all cells of another table.
func (t *Table) Merge(o *Table) {
	for k, c := range o.All() { // All copies, so the two locks are never held together
		t.Put(k, c)
	}
}

// cell returns the cell for a key, or the one for Other in a full table, and its key.
// The caller holds mu.
func (t *Table) cell(k Key) (*Cell, keyedUnit) {
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
	return c, keyedUnit{Key: k}
}

// Cell returns a copy of the cell under a key, or an empty cell.
func (t *Table) Cell(k Key) Cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.cells[k]
	if !ok {
		return Cell{}
	}
	out := *c
	for in, u := range t.open {
		if in.Key == k {
			out.close(*u)
		}
	}
	return out
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
	for in, u := range t.open {
		c := copied[in.Key]
		c.close(*u)
		copied[in.Key] = c
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
	t.cells, t.open, t.order, t.next = nil, nil, nil, 0
	for _, r := range rows {
		c, _ := t.cell(r.Key)
		c.Merge(r.Cell)
	}
	return nil
}
