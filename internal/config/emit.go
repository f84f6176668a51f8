package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// section is a mapping whose entries are written in order.
type section []entry

type entry struct {
	key   string
	value any // section, []any, or a scalar: nil, string, bool, int64, float32, float64
}

// emit writes a section as YAML in block style. It covers only the types of values
// in configurations, and every text that it writes reads back unchanged.
func emit(b *strings.Builder, s section, indent string) {
	for _, e := range s {
		b.WriteString(indent + scalar(e.key) + ":")
		emitValue(b, e.value, indent)
	}
}

func emitValue(b *strings.Builder, value any, indent string) {
	switch v := value.(type) {
	case section:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteByte('\n')
		emit(b, v, indent+"  ")
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteByte('\n')
		for _, item := range v {
			s, nested := item.(section)
			if !nested || len(s) == 0 {
				b.WriteString(indent + "  -")
				emitValue(b, item, indent+"  ")
				continue
			}
			// The first key is on the line of the dash.
			var inner strings.Builder
			emit(&inner, s, indent+"    ")
			b.WriteString(indent + "  - " + strings.TrimPrefix(inner.String(), indent+"    "))
		}
	default:
		b.WriteString(" " + scalar(v) + "\n")
	}
}

func scalar(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return quoteText(v)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(value)
}

// plainText matches texts that never need quotes: words, durations and addresses.
var plainText = regexp.MustCompile(`^([A-Za-z_/][A-Za-z0-9_./+-]*([ :][A-Za-z0-9_./+-]+)*|([0-9.]+(µs|ms|s|m|h))+|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+:[0-9]+)$`)

// quoteText writes a text: plain if that is safe, in single quotes if every
// character is printable, else with escapes.
func quoteText(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity":
		return "'" + s + "'"
	}
	switch {
	case plainText.MatchString(s):
		return s
	case s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return strconv.Quote(s)
}
