package event

import (
	"bytes"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// decoder reads one event in one pass over its bytes.
type decoder struct {
	tables   *tables
	data     []byte
	scan     jsonscan.Scanner[[]byte]
	ignored  fieldSet
	contexts []Chunk // passages that stand at the top of the event
	places   *places // what the event says about its span outside of its own fields
	long     string  // path of a list of more than MaxItems
	vital    string  // what is wrong with the event's identity
	spelt    string  // the same, of a name that is spelt otherwise
	around   int     // open objects that are not the event's own, such as a passage's metadata

	warns    bool // whether somebody reads the warnings
	warnings Warnings

	provided providerMembers // what stands beside the event's own fields, as providers write it

	integers []int64 // memory for the event's numbers, which are pointers
	numbers  []float64
}

func newDecoder(t *tables, data []byte) decoder {
	d := decoder{tables: t, data: data, scan: jsonscan.New(data, 0)}
	d.scan.LimitDepth(MaxDepth)
	d.scan.AllowNonFinite()
	return d
}

// result says what a reader made of a value.
type result uint8

const (
	found   result = iota // the field has a value
	absent                // null or another way to write that there is no value
	wrong                 // a value of the wrong type, or out of range
	foreign               // a value of another field that has this name by chance
)

// form is how the values of a field are read. read gets the first token of a value
// and reads it to its end.
type form[T any] struct {
	want string // what a value has to be, in words
	read func(*decoder, *T, jsonscan.Token) result
}

// tableRow is a row of the table of an object's members.
type tableRow[T any] struct {
	form[T]

	name    string
	aliases []string // the first counts before the second, and so on
	vital   bool     // a wrong value makes the event none
	id      int      // index in tables.all; -1 for a member without one
}

// object is the table of an object's members.
type object[T any] struct {
	rows   []tableRow[T]
	prefix string // of the path of a member
	// elsewhere reads a member that is in no row, and reports whether it knows it; nil: none
	elsewhere func(d *decoder, name []byte, value jsonscan.Token) bool
	slots     []slot // hash table of all names, with linear probing; never full
}

type slot struct {
	name  string
	field uint8
	rank  uint8 // 1 for the canonical name, 2 for the first alias, and so on
}

// most is the greatest number of fields of an object.
const most = 64

// respelt is added to the rank of a name that is spelt without its underscores, as in
// promptVersion: it counts after all names that are spelt as they should be.
const respelt = 64

func newObject[T any](prefix string, rows ...tableRow[T]) object[T] {
	o := object[T]{rows: rows, prefix: prefix, slots: make([]slot, 256)}
	for i, f := range rows {
		for rank, name := range append([]string{f.name}, f.aliases...) {
			o.add(name, i, rank+1)
		}
	}
	for i, f := range rows {
		for rank, name := range append([]string{f.name}, f.aliases...) {
			if bare := strings.ReplaceAll(name, "_", ""); bare != name && o.exactly([]byte(bare)) == nil && !isElsewhere(bare) {
				o.add(bare, i, respelt+rank+1)
			}
		}
	}
	return o
}

func (o *object[T]) add(name string, row, rank int) {
	at := slotOf(name)
	for o.slots[at%uint(len(o.slots))].name != "" {
		at++
	}
	//nolint:gosec // a test compares the tables with their sizes
	o.slots[at%uint(len(o.slots))] = slot{name, uint8(row), uint8(rank)}
}

// isElsewhere reports whether a name without underscores is read by [readElsewhere], which
// has its own rules for it.
func isElsewhere(name string) bool {
	canonical, _ := idName(name)
	return canonical != "" || name == "finishreason"
}

// slotOf hashes a name by its length and three of its letters.
func slotOf[T ~string | ~[]byte](name T) uint {
	n := len(name)
	return uint(n)*3 + uint(name[0])*5 + uint(name[n/2])*17 + uint(name[n-1])*67
}

// find returns the slot of a name, nil for an unknown one. Like encoding/json it
// takes names in capitals as well, of ASCII letters.
func (o *object[T]) find(name []byte) *slot {
	if len(name) == 0 {
		return nil
	}
	if s := o.exactly(name); s != nil {
		return s
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		plain, err := jsonscan.Unquote(`"` + string(name) + `"`)
		if err != nil || plain == "" {
			return nil
		}
		name = []byte(plain)
	}
	return o.exactly(bytes.ToLower(name))
}

func (o *object[T]) exactly(name []byte) *slot {
	for at := slotOf(name); ; at++ {
		switch s := &o.slots[at%uint(len(o.slots))]; s.name {
		case string(name):
			return s
		case "":
			return nil
		}
	}
}

// readMembers reads the members of the object that has just been opened into a value.
func readMembers[T any](d *decoder, into *T, o *object[T]) {
	var ranks [most]uint8 // of the names by which the fields have their values
	for key, ok := d.scan.Next(); ok && key.Kind == jsonscan.Key; key, ok = d.scan.Next() {
		name := d.data[key.Start+1 : key.End-1]
		value, ok := d.scan.Next()
		if !ok {
			return
		}
		s := o.find(name)
		if s == nil && o.elsewhere != nil && o.elsewhere(d, name, value) {
			continue
		}
		if s == nil {
			if !d.isNull(value) {
				d.unknown(o.prefix, name, "")
			}
			d.skip(value)
			continue
		}
		if s.rank > 1 && value.Kind == jsonscan.Object && s.name == "response" && o.elsewhere != nil {
			d.provided.response = value.Start + 1 // for what it says beside the answer
		}
		f := &o.rows[s.field]
		if before := ranks[s.field]; before != 0 && before < s.rank {
			d.skip(value) // the field has its value by a name that counts before this one
			continue
		}
		switch f.read(d, into, value) {
		case found:
			ranks[s.field] = s.rank
		case foreign:
			d.warn(Warning{Field: o.prefix + s.name, Problem: "not read", want: "want " + f.want + " with their texts"})
		case wrong:
			if f.vital && s.rank > respelt { // of no weight beside the name as it should be
				d.spelt = string(name) + ": a JSON " + d.kind(value) + ", want " + f.want
				continue
			}
			d.wrong(f.id, f.vital, o.prefix, s.name, f.want, value)
		case absent:
		}
	}
}

// names returns the names of all members, without other spellings of one.
func (o *object[T]) names() []string {
	var names []string
	for _, s := range o.slots {
		if s.name != "" && s.rank < respelt {
			names = append(names, s.name)
		}
	}
	return names
}

// wrong notes a value that cannot be read as its field.
func (d *decoder) wrong(id int, vital bool, prefix, name, want string, value jsonscan.Token) {
	if d.around > 0 || id < 0 {
		return
	}
	if vital || d.warns {
		w := Warning{Field: prefix + name, Problem: "a JSON " + d.kind(value), want: "want " + want}
		if vital && d.vital == "" {
			d.vital = w.Field + ": " + w.Problem + ", " + w.want
		}
		d.warn(w)
	}
	d.ignored.add(id)
}

// skip reads the rest of a value, and reports whether all its numbers are finite.
func (d *decoder) skip(t jsonscan.Token) (finite bool) {
	finite = t.Kind != jsonscan.NonFinite
	if t.Kind != jsonscan.Object && t.Kind != jsonscan.Array {
		return finite
	}
	for outside := d.scan.Depth() - 1; d.scan.Depth() > outside; {
		t, ok := d.scan.Next()
		if !ok {
			return finite
		}
		finite = finite && t.Kind != jsonscan.NonFinite
	}
	return finite
}

// value reads the rest of a value and returns its bytes; nil when it holds a number
// that is not finite, which is not JSON.
func (d *decoder) value(t jsonscan.Token) []byte {
	end := t.End
	finite := d.skip(t)
	if t.Kind == jsonscan.Object || t.Kind == jsonscan.Array {
		end = d.scan.Pos()
	}
	if !finite {
		return nil
	}
	return d.data[t.Start:end:end]
}

// raw returns the bytes of a scalar.
func (d *decoder) raw(t jsonscan.Token) []byte { return d.data[t.Start:t.End] }

// string returns the text of a string.
func (d *decoder) string(t jsonscan.Token) string {
	s, err := jsonscan.Unquote(d.raw(t))
	if err != nil { // the scanner has accepted it
		return ""
	}
	return s
}

// isNull reports whether the value is null.
func (d *decoder) isNull(t jsonscan.Token) bool {
	return t.Kind == jsonscan.Literal && d.data[t.Start] == 'n'
}

// kind names the JSON type of a value.
func (d *decoder) kind(t jsonscan.Token) string {
	if t.Kind == jsonscan.NonFinite {
		return "number that is not finite"
	}
	return jsonKind(d.data[t.Start:])
}

// fieldSet is a set of indexes in tables.all.
type fieldSet [2]uint64

func (s *fieldSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s *fieldSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
