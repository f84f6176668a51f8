package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/config/fault"
)

type decoder struct {
	doc    *Document
	faults *fault.List
}

func (d *decoder) fault(p position, path, problem, expected string) {
	*d.faults = append(*d.faults, fault.Fault{Line: p.line, Column: p.column, Path: path, Problem: problem, Expected: expected})
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
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.integer(n, v, path)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.unsigned(n, v, path)
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
		d.fault(n.pos, path, fmt.Sprintf("%q is no duration", short(n.text)), want)
		return
	}
	v.SetInt(int64(t))
}

// short keeps a misplaced text from filling the terminal.
func short(s string) string {
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
	if t.Key().Kind() != reflect.String {
		d.fault(n.pos, path, "this program cannot read a map with such keys", "")
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
		v.SetZero() // [] and nothing are the same list
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

// plainValue gives a value where no type is wanted.
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
