package strictyaml

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

func (d *decoder) integer(n *node, v reflect.Value, path string) {
	if n.kind != kindInt && !n.isHuge() {
		d.wrong(n, path, "an integer")
		return
	}
	digits, base := literal(n.text)
	bits := v.Type().Bits()
	i, err := strconv.ParseInt(digits, base, bits)
	if err != nil {
		d.fault(n.pos, path, "the integer cannot be held", fmt.Sprintf("want one from %d to %d", -(int64(1)<<(bits-1)), int64(1)<<(bits-1)-1))
		return
	}
	v.SetInt(i)
}

func (d *decoder) unsigned(n *node, v reflect.Value, path string) {
	if n.kind != kindInt && !n.isHuge() {
		d.wrong(n, path, "an integer")
		return
	}
	digits, base := literal(n.text)
	bits := v.Type().Bits()
	i, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		d.fault(n.pos, path, "the integer cannot be held", fmt.Sprintf("want one from 0 to %d", uint64(math.MaxUint64)>>(64-bits)))
		return
	}
	v.SetUint(i)
}

// isHuge reports whether the node is an integer that the parser takes for text,
// because 64 bits cannot hold it.
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
		d.fault(n.pos, path, "no finite number", "want a number such as 0.5")
	default:
		v.SetFloat(f)
	}
}

// startsNumber keeps words that strconv takes for numbers (inf, nan) from being
// numbers here.
func startsNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '.')
}
