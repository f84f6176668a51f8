package sensitive

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
)

// Class says whether a kind is a secret or personal data.
type Class string

// The classes.
const (
	ClassSecret Class = "secret"
	ClassPII    Class = "pii"
)

// Kind is one kind of sensitive text.
type Kind struct {
	Name        string
	Class       Class
	Description string
}

// Match is one place in a text, as byte offsets.
type Match struct {
	Kind       string
	Class      Class
	Start, End int
}

// Custom is a kind of one's own: an RE2 expression. A group, when it has one,
// is the sensitive part; else the whole match is.
type Custom struct {
	Name    string
	Pattern string
}

// Detector finds some kinds of sensitive text. It never changes and is safe for
// concurrent use.
type Detector struct{ patterns []pattern }

// pattern is how one kind is found.
type pattern struct {
	Kind
	anchors []string // one of these must occur; none: digits must
	digits  int      // at least so many digits must occur in the text
	fold    bool     // anchors are lower case and the text is compared in lower case
	re      *regexp.Regexp
	group   int // of re that is the sensitive part
	valid   func(text string) bool
}

// Kinds gives all built-in kinds, secrets first.
func Kinds() []Kind {
	out := make([]Kind, 0, 24)
	for _, p := range builtIn() {
		out = append(out, p.Kind)
	}
	return out
}

// New makes a detector of some built-in kinds, all of them when kinds is empty,
// and of custom ones. A class name stands for its kinds. An unknown kind is an
// error that names the nearest known one.
func New(kinds []string, custom ...Custom) (*Detector, error) {
	all := builtIn()
	d := &Detector{}
	var errs []error
	for _, name := range kinds {
		if !slices.ContainsFunc(all, func(p pattern) bool { return p.is(name) }) {
			errs = append(errs, unknown(name, all))
		}
	}
	for _, p := range all {
		if len(kinds) == 0 || slices.ContainsFunc(kinds, p.is) {
			d.patterns = append(d.patterns, p)
		}
	}
	for _, c := range custom {
		p, err := c.compile()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d.patterns = append(d.patterns, p)
	}
	return d, errors.Join(errs...)
}

func (p pattern) is(name string) bool { return name == p.Name || name == string(p.Class) }

func (c Custom) compile() (pattern, error) {
	if c.Name == "" || strings.ContainsAny(c.Name, "[] \t\n") {
		return pattern{}, fmt.Errorf("pattern name %q: want a word", c.Name)
	}
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return pattern{}, fmt.Errorf("pattern %s: %w", c.Name, err)
	}
	if c.Pattern == "" || re.MatchString("") {
		return pattern{}, fmt.Errorf("pattern %s: matches the empty text", c.Name)
	}
	return pattern{Kind: Kind{Name: c.Name, Class: ClassPII}, re: re, group: min(re.NumSubexp(), 1)}, nil
}

// Find gives the places of sensitive text, in order and without overlap.
func (d *Detector) Find(text string) []Match {
	var found []Match
	var lower string
	digits := -1
	for i := range d.patterns {
		p := &d.patterns[i]
		if p.digits > 0 {
			if digits < 0 {
				digits = countDigits(text)
			}
			if digits < p.digits {
				continue
			}
		}
		if p.fold && lower == "" {
			lower = strings.ToLower(text)
		}
		if !p.anchored(text, lower) {
			continue
		}
		for _, loc := range p.re.FindAllStringSubmatchIndex(text, -1) {
			start, end := loc[2*p.group], loc[2*p.group+1]
			if start < 0 || start == end || p.valid != nil && !p.valid(text[start:end]) {
				continue
			}
			found = append(found, Match{p.Name, p.Class, start, end})
		}
	}
	return apart(found)
}

func (p *pattern) anchored(text, lower string) bool {
	if len(p.anchors) == 0 {
		return true
	}
	if p.fold {
		text = lower
	}
	for _, a := range p.anchors {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

// apart sorts matches and joins those that overlap, because no part of either may
// stay. The one that begins first names the place; where two begin together it
// is the more specific, which comes first in found.
func apart(found []Match) []Match {
	if len(found) < 2 {
		return found
	}
	slices.SortStableFunc(found, func(a, b Match) int { return cmp.Compare(a.Start, b.Start) })
	out := found[:1]
	for _, m := range found[1:] {
		last := &out[len(out)-1]
		if m.Start >= last.End {
			out = append(out, m)
			continue
		}
		last.End = max(last.End, m.End)
	}
	return out
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i]-'0' <= 9 {
			n++
		}
	}
	return n
}

func unknown(name string, all []pattern) error {
	names := []string{string(ClassSecret), string(ClassPII)}
	for _, p := range all {
		names = append(names, p.Name)
	}
	if near := eval.Nearest(name, names); near != "" {
		return fmt.Errorf("unknown kind %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown kind %q: want one of %s", name, strings.Join(names, ", "))
}
