package validators

import (
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// quick is a schema in a form that recognises most valid documents while it reads
// them, in one pass. Decoding a document and validating it with the library takes ten
// times as long, and most answers are valid.
//
// It only ever says that a document is valid. Where it says nothing, because the
// document is not valid, or it or the schema has something that quick does not know,
// the library decides and says what is wrong. So quick holds the keywords that schemas
// of answers are made of, and leaves out whatever is not simple.
type quick struct {
	unsure bool // it has a keyword that quick does not know: nothing is accepted
	types  typeSet
	words  map[string]bool // strings of enum or const; nil: any
	fixed  map[string]bool // true, false and null of enum or const; nil: any
	// choices are the schemas of anyOf, or of a oneOf of which no value fits two. A
	// quick with choices has nothing else.
	choices []*quick

	properties map[string]property
	required   uint64 // set of places
	closed     bool   // no other members
	additional *quick // other members; nil: anything
	items      *quick // nil: anything
	fewest     int    // items; or characters
	most       int    // likewise; -1: any number
	pattern    *regexp.Regexp
	format     func(any) bool

	least, greatest *int64 // of numbers
}

// property is a member that the schema names.
type property struct {
	place  uint // in the set of members, below 64
	schema *quick
}

// typeSet is a set of types of values.
type typeSet uint8

const (
	typeNull typeSet = 1 << iota
	typeBoolean
	typeInteger
	typeFraction // number: any but an integer
	typeString
	typeArray
	typeObject

	typeNumber = typeInteger | typeFraction
	anyType    = 1<<iota - 1
)

func typeNamed(name string) typeSet {
	return map[string]typeSet{
		"null": typeNull, "boolean": typeBoolean, "integer": typeInteger, "number": typeNumber,
		"string": typeString, "array": typeArray, "object": typeObject,
	}[name]
}

// newQuick returns the quick form of a compiled schema.
func newQuick(s *jsonschema.Schema) *quick { return quicken(s, map[*jsonschema.Schema]*quick{}) }

// quicken builds the quick form of a schema. Schemas that are being built stand in
// made already, since schemas may refer to themselves.
func quicken(s *jsonschema.Schema, made map[*jsonschema.Schema]*quick) *quick {
	if q, ok := made[s]; ok {
		return q
	}
	q := &quick{unsure: true, types: anyType, most: -1}
	made[s] = q
	var sure bool
	switch {
	case s.Always != nil:
		sure = *s.Always
	case s.Ref != nil:
		target := quicken(s.Ref, made)
		sure = onlyHas(s, "Ref") && !target.unsure && target != q
		if sure {
			*q = *target
		}
	case s.AnyOf != nil:
		sure = onlyHas(s, "AnyOf") && q.addChoices(s.AnyOf, made)
	case s.OneOf != nil:
		sure = onlyHas(s, "OneOf") && q.addChoices(s.OneOf, made) && q.disjoint()
	default:
		sure = onlyHas(s, "Types", "Constant", "Enum", "Format", "Required", "Properties", "AdditionalProperties",
			"MinItems", "MaxItems", "Items", "Items2020", "MinLength", "MaxLength", "Pattern", "Minimum", "Maximum") && q.addKeywords(s, made)
	}
	q.unsure = !sure
	return q
}

// onlyHas reports whether a schema has no other keywords than those of these fields.
// It looks at all fields, so that a keyword that a later version of the library adds
// is not overlooked.
func onlyHas(s *jsonschema.Schema, fields ...string) bool {
	// These do not constrain anything by themselves.
	fields = append(fields, "Location", "Draft", "RecursiveAnchor", "DynamicAnchor", "Title", "Description", "Default", "Comment",
		"ReadOnly", "WriteOnly", "Examples", "Deprecated", "Extensions", "ContainsEval", "MinContains")
	v := reflect.ValueOf(s).Elem()
	for f := range v.Type().Fields() {
		value := v.FieldByIndex(f.Index)
		unset := value.IsZero() && f.Name != "MaxProperties" || value.Kind() == reflect.Int && value.Int() == -1
		if f.IsExported() && !unset && !slices.Contains(fields, f.Name) {
			return false
		}
	}
	return true
}

// addChoices adds the branches of anyOf or oneOf. A branch with choices of its own is
// not known: it might be this schema again.
func (q *quick) addChoices(branches []*jsonschema.Schema, made map[*jsonschema.Schema]*quick) bool {
	for _, b := range branches {
		c := quicken(b, made)
		if c.unsure || c.choices != nil {
			return false
		}
		q.choices = append(q.choices, c)
	}
	return true
}

// disjoint reports whether no value has the type of two choices.
func (q *quick) disjoint() bool {
	var all typeSet
	for _, c := range q.choices {
		if all&c.types != 0 {
			return false
		}
		all |= c.types
	}
	return true
}

func (q *quick) addKeywords(s *jsonschema.Schema, made map[*jsonschema.Schema]*quick) bool {
	if len(s.Types) > 0 {
		q.types = 0
		for _, t := range s.Types {
			q.types |= typeNamed(t)
		}
	}
	q.pattern, q.format = s.Pattern, jsonschema.Formats[s.Format]
	return q.addValues(s.Enum) && q.addValues(s.Constant) && q.addBounds(s) && q.addLengths(s) &&
		q.addItems(s, made) && q.addMembers(s, made)
}

// addValues adds the values of enum, or of const.
func (q *quick) addValues(values []any) bool {
	if len(values) == 0 {
		return true
	}
	if q.words != nil { // both
		return false
	}
	q.words, q.fixed = map[string]bool{}, map[string]bool{}
	allowed := typeSet(0)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			q.words[v] = true
			allowed |= typeString
		case bool:
			q.fixed[strconv.FormatBool(v)] = true
			allowed |= typeBoolean
		case nil:
			q.fixed["null"] = true
			allowed |= typeNull
		default:
			return false
		}
	}
	q.types &= allowed
	return true
}

// addBounds adds minimum and maximum. With bounds that are short integers, comparing
// doubles is exact for short numbers.
func (q *quick) addBounds(s *jsonschema.Schema) bool {
	integer := func(r *big.Rat) (n *int64, ok bool) {
		if r == nil {
			return nil, true
		}
		const largest = 1e15
		if !r.IsInt() || !r.Num().IsInt64() || r.Num().Int64() > largest || r.Num().Int64() < -largest {
			return nil, false
		}
		return new(r.Num().Int64()), true
	}
	var ok1, ok2 bool
	q.least, ok1 = integer(s.Minimum)
	q.greatest, ok2 = integer(s.Maximum)
	return ok1 && ok2
}

// addLengths adds the bounds of strings, or of arrays. A schema that allows both and
// bounds one is rare.
func (q *quick) addLengths(s *jsonschema.Schema) bool {
	texts, lists := s.MinLength >= 0 || s.MaxLength >= 0, s.MinItems >= 0 || s.MaxItems >= 0
	switch {
	case (texts || lists) && q.types&typeArray != 0 && q.types&typeString != 0:
		return false
	case texts && q.types&typeString != 0:
		q.fewest, q.most = s.MinLength, s.MaxLength
	case lists && q.types&typeArray != 0:
		q.fewest, q.most = s.MinItems, s.MaxItems
	}
	return true
}

func (q *quick) addItems(s *jsonschema.Schema, made map[*jsonschema.Schema]*quick) bool {
	items := s.Items2020
	switch of := s.Items.(type) {
	case nil:
	case *jsonschema.Schema:
		items = of
	default:
		return false
	}
	if items != nil {
		q.items = quicken(items, made)
	}
	return true
}

func (q *quick) addMembers(s *jsonschema.Schema, made map[*jsonschema.Schema]*quick) bool {
	switch of := s.AdditionalProperties.(type) {
	case nil:
	case bool:
		q.closed = !of
	case *jsonschema.Schema:
		q.additional = quicken(of, made)
	default:
		return false
	}
	q.properties = map[string]property{}
	for name, schema := range s.Properties {
		q.properties[name] = property{uint(len(q.properties)), quicken(schema, made)}
	}
	for _, name := range s.Required {
		p, ok := q.properties[name]
		if !ok {
			if q.closed {
				return false
			}
			p = property{uint(len(q.properties)), q.additional}
			q.properties[name] = p
		}
		q.required |= 1 << p.place
	}
	return len(q.properties) <= 64
}

// accepts reports whether a scanned JSON text is surely valid, and has no member twice.
func (q *quick) accepts(text string) bool {
	if q.unsure {
		return false
	}
	r := quickReader{text: text, scan: jsonscan.New(text, 0)}
	t, ok := r.scan.Next()
	return ok && r.value(q, t)
}

// quickReader reads one document.
type quickReader struct {
	text  string
	scan  jsonscan.Scanner[string]
	names []string // members of the open objects that their schemas do not name
}

// value reads a value that begins with t, and reports whether it is surely valid. A
// schema of nil is anything.
func (r *quickReader) value(q *quick, t jsonscan.Token) bool {
	typ := r.typeOf(t)
	switch {
	case q == nil:
		q = &anything
	case q.unsure:
		return false
	}
	if q.choices != nil {
		return r.choice(q, typ, t)
	}
	if q.types&typ == 0 {
		return false
	}
	switch t.Kind {
	case jsonscan.Object:
		return r.object(q)
	case jsonscan.Array:
		return r.array(q)
	case jsonscan.String:
		return r.string(q, t)
	case jsonscan.Number:
		return r.number(q, t)
	}
	return q.fixed == nil || q.fixed[r.text[t.Start:t.End]]
}

var anything = quick{types: anyType, most: -1}

// typeOf returns the type of the value that begins with t. A number with a fraction or
// an exponent counts as no integer, although it may be one.
func (r *quickReader) typeOf(t jsonscan.Token) typeSet {
	switch t.Kind {
	case jsonscan.Object:
		return typeObject
	case jsonscan.Array:
		return typeArray
	case jsonscan.String:
		return typeString
	case jsonscan.Number:
		if strings.ContainsAny(r.text[t.Start:t.End], ".eE") {
			return typeFraction
		}
		return typeInteger
	}
	if r.text[t.Start] == 'n' {
		return typeNull
	}
	return typeBoolean
}

// choice reads a value that one of several schemas has to accept: for a scalar any of
// them; for an array or object, which is read once, the only one of its type.
func (r *quickReader) choice(q *quick, typ typeSet, t jsonscan.Token) bool {
	var only *quick
	for _, c := range q.choices {
		switch {
		case c.types&typ == 0:
		case typ&(typeArray|typeObject) == 0:
			if r.value(c, t) {
				return true
			}
		case only != nil:
			return false
		default:
			only = c
		}
	}
	return only != nil && r.value(only, t)
}

func (r *quickReader) object(q *quick) bool {
	var seen uint64
	outer := len(r.names)
	for key, ok := r.scan.Next(); ok && key.Kind == jsonscan.Key; key, ok = r.scan.Next() {
		name := r.text[key.Start+1 : key.End-1]
		if strings.IndexByte(name, '\\') >= 0 || !utf8.ValidString(name) {
			return false // the same name might be written otherwise
		}
		p, known := q.properties[name]
		schema := q.additional
		switch {
		case known && seen&(1<<p.place) != 0:
			return false
		case known:
			seen |= 1 << p.place
			schema = p.schema
		case q.closed || !r.addName(outer, name):
			return false
		}
		value, ok := r.scan.Next()
		if !ok || !r.value(schema, value) {
			return false
		}
	}
	r.names = r.names[:outer]
	return q.required&^seen == 0
}

// maxOthers bounds the members of an object that its schema does not name: each is
// compared with the others.
const maxOthers = 32

// addName adds a member of an object whose first one is at outer. It reports false for
// one that the object has already, and for one too many.
func (r *quickReader) addName(outer int, name string) bool {
	if len(r.names)-outer >= maxOthers || slices.Contains(r.names[outer:], name) {
		return false
	}
	r.names = append(r.names, name)
	return true
}

func (r *quickReader) array(q *quick) bool {
	n := 0
	for item, ok := r.scan.Next(); ok && item.Kind != jsonscan.Close; item, ok = r.scan.Next() {
		n++
		if !r.value(q.items, item) {
			return false
		}
	}
	return n >= q.fewest && (q.most < 0 || n <= q.most)
}

func (r *quickReader) string(q *quick, t jsonscan.Token) bool {
	if q.words == nil && q.fewest <= 0 && q.most < 0 && q.pattern == nil && q.format == nil {
		return true
	}
	s, err := jsonscan.Unquote(r.text[t.Start:t.End])
	if err != nil || q.words != nil && !q.words[s] {
		return false
	}
	if q.fewest > 0 || q.most >= 0 {
		if n := utf8.RuneCountInString(s); n < q.fewest || q.most >= 0 && n > q.most {
			return false
		}
	}
	return (q.pattern == nil || q.pattern.MatchString(s)) && (q.format == nil || q.format(s))
}

// maxExactDigits is the length up to which different decimals are different doubles.
const maxExactDigits = 15

func (r *quickReader) number(q *quick, t jsonscan.Token) bool {
	if q.least == nil && q.greatest == nil {
		return true
	}
	text := r.text[t.Start:t.End]
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > maxExactDigits || strings.ContainsAny(text, "eE") {
		return false
	}
	return (q.least == nil || n >= float64(*q.least)) && (q.greatest == nil || n <= float64(*q.greatest))
}
