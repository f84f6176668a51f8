package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
)

type decoder struct {
	reporter
	doc *Document
}

// reporter collects faults with their places.
type reporter struct{ faults *fault.List }

func (r reporter) fault(p position, path, problem, expected string) {
	*r.faults = append(*r.faults, fault.Fault{Line: p.line, Column: p.column, Path: path, Problem: problem, Expected: expected})
}

func (d *decoder) wrong(n *node, path, want string) {
	d.fault(n.pos, path, "got "+n.kind.String(), "want "+want)
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value sets v from n, or adds faults and leaves v alone.
func (d *decoder) value(n *node, v reflect.Value, path string) {
	if v.CanAddr() && v.Addr().Type().Implements(textType) && v.Kind() != reflect.Pointer {
		d.text(n, v.Addr().Interface().(encoding.TextUnmarshaler), path)
		return
	}
	if v.Type() == durationType {
		d.duration(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		d.pointer(n, v, path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.table(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.String:
		d.str(n, v, path)
	case reflect.Bool:
		d.boolean(n, v, path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.integer(n, v, path)
	case reflect.Float32, reflect.Float64:
		d.number(n, v, path)
	case reflect.Interface:
		if plain := plainValue(n); plain != nil {
			v.Set(reflect.ValueOf(plain))
		}
	default:
		d.fault(n.pos, path, "this program cannot read a "+v.Kind().String(), "")
	}
}

func (d *decoder) text(n *node, into encoding.TextUnmarshaler, path string) {
	switch n.kind {
	case kindNull, kindList, kindMap:
		d.wrong(n, path, "a text")
		return
	}
	err := into.UnmarshalText([]byte(n.text))
	if faults, ok := errors.AsType[fault.List](err); ok {
		for _, f := range faults {
			d.fault(n.pos, path, f.Problem, f.Expected)
		}
		return
	}
	if err != nil {
		d.fault(n.pos, path, err.Error(), "")
	}
}

func (d *decoder) duration(n *node, v reflect.Value, path string) {
	const want = "want a duration with its unit, such as 500ms, 30s or 5m"
	switch {
	case n.kind == kindInt && n.text == "0":
		v.SetInt(0)
		return
	case n.kind == kindInt, n.kind == kindFloat:
		d.fault(n.pos, path, "a number without a unit", want)
		return
	case n.kind != kindString:
		d.fault(n.pos, path, "got "+n.kind.String(), want)
		return
	}
	t, err := time.ParseDuration(n.text)
	if err != nil {
		d.fault(n.pos, path, fmt.Sprintf("%q is not a duration", abbreviate(n.text)), want)
		return
	}
	v.SetInt(int64(t))
}

// abbreviate shortens a text, so that a misplaced one does not fill the terminal.
func abbreviate(s string) string {
	const most = 20
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

func (d *decoder) pointer(n *node, v reflect.Value, path string) {
	if n.kind == kindNull {
		v.SetZero()
		return
	}
	fresh := reflect.New(v.Type().Elem())
	if !v.IsNil() {
		fresh.Elem().Set(v.Elem())
	}
	before := len(*d.faults)
	d.value(n, fresh.Elem(), path)
	if len(*d.faults) == before || fresh.Elem().Kind() == reflect.Struct {
		v.Set(fresh)
	}
}

func (d *decoder) table(n *node, v reflect.Value, path string) {
	t := v.Type()
	if n.kind == kindNull {
		return
	}
	if n.kind != kindMap {
		d.wrong(n, path, "a mapping of names")
		return
	}
	out := reflect.MakeMapWithSize(t, len(n.pairs))
	for _, p := range n.pairs {
		key := reflect.ValueOf(p.key).Convert(t.Key())
		elem := reflect.New(t.Elem()).Elem()
		if old := v.MapIndex(key); old.IsValid() {
			elem.Set(old)
		}
		d.value(p.value, elem, join(path, p.key))
		out.SetMapIndex(key, elem)
	}
	v.Set(out)
}

func (d *decoder) list(n *node, v reflect.Value, path string) {
	if n.kind == kindNull {
		v.SetZero()
		return
	}
	if n.kind != kindList {
		d.wrong(n, path, "a list, such as [a, b]")
		return
	}
	if len(n.items) == 0 {
		v.SetZero() // an empty list is nil
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.value(item, out.Index(i), index(path, i))
	}
	v.Set(out)
}

func (d *decoder) str(n *node, v reflect.Value, path string) {
	switch n.kind {
	case kindString:
		v.SetString(n.text)
	case kindBool, kindInt, kindFloat:
		d.wrong(n, path, "a string: put it in quotes")
	default:
		d.wrong(n, path, "a string")
	}
}

func (d *decoder) boolean(n *node, v reflect.Value, path string) {
	if n.kind != kindBool {
		d.wrong(n, path, "true or false")
		return
	}
	v.SetBool(strings.EqualFold(n.text, "true"))
}

// plainValue returns a value for a field of type any.
func plainValue(n *node) any {
	switch n.kind {
	case kindBool:
		return strings.EqualFold(n.text, "true")
	case kindInt:
		digits, base := literal(n.text)
		if i, err := strconv.ParseInt(digits, base, 64); err == nil {
			return i
		}
		f, _ := strconv.ParseFloat(digits, 64)
		return f
	case kindFloat:
		f, _ := strconv.ParseFloat(n.text, 64)
		return f
	case kindString:
		return n.text
	case kindList:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = plainValue(item)
		}
		return out
	case kindMap:
		out := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			out[p.key] = plainValue(p.value)
		}
		return out
	}
	return nil
}

func (d *decoder) integer(n *node, v reflect.Value, path string) {
	if n.kind != kindInt && !n.isHuge() {
		d.wrong(n, path, "an integer")
		return
	}
	digits, base := literal(n.text)
	bits := v.Type().Bits()
	most := uint64(math.MaxUint64) >> (64 - bits)
	if v.CanUint() {
		i, err := strconv.ParseUint(digits, base, bits)
		if err != nil {
			d.fault(n.pos, path, "the integer is out of range", fmt.Sprintf("want one from 0 to %d", most))
			return
		}
		v.SetUint(i)
		return
	}
	i, err := strconv.ParseInt(digits, base, bits)
	if err != nil {
		d.fault(n.pos, path, "the integer is out of range", fmt.Sprintf("want one from -%d to %d", most/2+1, most/2))
		return
	}
	v.SetInt(i)
}

// isHuge reports whether the node is an integer that the parser takes for text,
// because it does not fit in 64 bits.
func (n *node) isHuge() bool {
	digits := strings.TrimLeft(n.text, "+-")
	return n.kind == kindString && n.style == stylePlain && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// literal splits an integer of YAML into digits and base.
func literal(s string) (digits string, base int) {
	s = strings.ReplaceAll(s, "_", "")
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	if len(s) > 2 && s[0] == '0' {
		switch s[1] {
		case 'x', 'X':
			return sign + s[2:], 16
		case 'o', 'O':
			return sign + s[2:], 8
		case 'b', 'B':
			return sign + s[2:], 2
		}
	}
	return sign + s, 10
}

func (d *decoder) number(n *node, v reflect.Value, path string) {
	switch {
	case n.kind == kindInt, n.kind == kindFloat, n.kind == kindString && n.style == stylePlain:
	default:
		d.wrong(n, path, "a number")
		return
	}
	text, base := literal(n.text)
	f, err := strconv.ParseFloat(text, 64)
	if base != 10 {
		var i int64
		i, err = strconv.ParseInt(text, base, 64)
		f = float64(i)
	}
	switch {
	case n.kind == kindString && (err != nil || !startsNumber(text)):
		d.wrong(n, path, "a number")
	case err != nil, math.IsInf(f, 0), math.IsNaN(f), v.OverflowFloat(f):
		d.fault(n.pos, path, "not a finite number", "want a number such as 0.5")
	default:
		v.SetFloat(f)
	}
}

// startsNumber reports whether s begins like a number, because strconv also accepts
// the words inf and nan.
func startsNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '.')
}
