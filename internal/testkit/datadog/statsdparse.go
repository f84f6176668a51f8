package datadog

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// StatsDMetric is one DogStatsD message.
type StatsDMetric struct {
	Name   string
	Type   string    // c, g, d, h, s or ms
	Values []float64 // of a set: none
	Rate   float64   // share of the values that was sent; 1 unless said
	Tags   []string  // in the order of the wire
}

// Tag returns the value of a tag; empty when the key is absent.
func (m StatsDMetric) Tag(key string) string {
	for _, tag := range m.Tags {
		if v, ok := strings.CutPrefix(tag, key+":"); ok {
			return v
		}
	}
	return ""
}

// Has reports whether the metric carries all tags, each as key:value.
func (m StatsDMetric) Has(tags ...string) bool {
	for _, tag := range tags {
		if !slices.Contains(m.Tags, tag) {
			return false
		}
	}
	return true
}

// ParseStatsD reads one DogStatsD message: name:value[:value...]|type[|field...].
// It is strict: what an agent would ignore, or read otherwise than it was meant,
// is an error. Events and service checks are not metrics and are errors too.
func ParseStatsD(line string) (StatsDMetric, error) {
	parts := strings.Split(line, "|")
	name, values, ok := strings.Cut(parts[0], ":")
	switch {
	case !ok || len(parts) < 2:
		return StatsDMetric{}, errors.New("no value or no type")
	case !metricName(name):
		return StatsDMetric{}, fmt.Errorf("bad name %q", name)
	}
	m := StatsDMetric{Name: name, Type: parts[1], Rate: 1}
	if !slices.Contains([]string{"c", "g", "d", "h", "s", "ms"}, m.Type) {
		return StatsDMetric{}, fmt.Errorf("bad type %q", m.Type)
	}
	if m.Type != "s" {
		for v := range strings.SplitSeq(values, ":") {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return StatsDMetric{}, fmt.Errorf("bad value %q", v)
			}
			m.Values = append(m.Values, f)
		}
	} else if values == "" {
		return StatsDMetric{}, errors.New("empty value")
	}
	seen := map[byte]bool{}
	for _, field := range parts[2:] {
		if err := m.field(field, seen); err != nil {
			return StatsDMetric{}, err
		}
	}
	return m, nil
}

func (m *StatsDMetric) field(field string, seen map[byte]bool) error {
	if field == "" {
		return errors.New("empty field")
	}
	kind, rest := field[0], field[1:]
	card, isCard := strings.CutPrefix(field, "card:")
	if isCard {
		kind = 'C' // c is the container field
	}
	once := !seen[kind]
	seen[kind] = true
	var err error
	switch {
	case isCard:
		if !slices.Contains([]string{"none", "low", "orchestrator", "high"}, card) {
			err = errors.New("bad cardinality")
		}
	case kind == '#':
		m.Tags = strings.Split(rest, ",")
		err = checkTags(m.Tags)
	case kind == '@':
		if m.Rate, err = strconv.ParseFloat(rest, 64); err == nil && !(m.Rate > 0 && m.Rate <= 1) {
			err = errors.New("bad rate")
		}
	case kind == 'T':
		var n int64
		if n, err = strconv.ParseInt(rest, 10, 64); err == nil && n <= 0 {
			err = errors.New("bad time")
		}
	case (kind == 'c' || kind == 'e') && len(rest) > 1 && rest[0] == ':':
	default:
		err = errors.New("unknown field")
	}
	if err == nil && !once {
		err = errors.New("field twice")
	}
	if err != nil {
		return fmt.Errorf("%w: %q", err, field)
	}
	return nil
}

// checkTags accepts tags of the form key:value, with lower-case keys and values of
// characters that Datadog keeps as they are, and each key once.
func checkTags(tags []string) error {
	keys := map[string]bool{}
	for _, tag := range tags {
		key, value, ok := strings.Cut(tag, ":")
		if !ok || !tagText(key) || key[0] < 'a' || key[0] > 'z' || len(key) > utf8.RuneCountInString(key) || !tagText(value) || len(value) > 200 {
			return fmt.Errorf("bad tag %q", tag)
		}
		if keys[key] {
			return fmt.Errorf("tag key %q twice", key)
		}
		keys[key] = true
	}
	return nil
}

func tagText(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_./-:", c) || unicode.ToLower(c) != c {
			return false
		}
	}
	return s != ""
}

func metricName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || ((c < '0' || c > '9') && c != '_' && c != '.')) {
			return false
		}
	}
	return s != "" && len(s) <= 200 && s[len(s)-1] != '.'
}
