package strictyaml

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Text sets what v points to from the text of one value, as an environment
// variable or a flag holds it, under the rules of [Decode]: a string, a number,
// true or false, a duration, or for a list its items between commas. The faults
// have no file and the empty path.
func Text(text string, v any) fault.List {
	var faults fault.List
	dec := decoder{doc: &Document{broken: map[string]bool{}}, reporter: reporter{&faults}}
	target := reflect.ValueOf(v).Elem()
	n := scalarFor(target, text)
	if target.Kind() == reflect.Slice {
		n = &node{kind: kindList}
		for item := range strings.SplitSeq(text, ",") {
			n.items = append(n.items, scalarFor(reflect.New(target.Type().Elem()).Elem(), strings.TrimSpace(item)))
		}
	}
	dec.value(n, target, "")
	for i := range faults {
		faults[i].Line, faults[i].Column = 0, 0
	}
	return faults
}

// scalarFor returns a text as the kind of value that v takes: where v takes text,
// digits are text too.
func scalarFor(v reflect.Value, text string) *node {
	n := &node{kind: kindString, text: text}
	if v.Kind() == reflect.Pointer {
		v = reflect.New(v.Type().Elem()).Elem()
	}
	_, ownText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	if v.Kind() == reflect.String || v.Type() == durationType || ownText {
		return n
	}
	digits, base := literal(text)
	if _, err := strconv.ParseInt(digits, base, 64); err == nil {
		n.kind = kindInt
	} else if _, err := strconv.ParseFloat(text, 64); err == nil && startsNumber(text) {
		n.kind = kindFloat
	} else if text == "true" || text == "false" {
		n.kind = kindBool
	}
	return n
}
