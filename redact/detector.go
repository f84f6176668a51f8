package redact

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
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
type Detector struct {
	patterns []pattern
	assigned bool // assigned_secret is among them
}

// pattern is one way in which a kind is found. Where it has anchors, the
// expression is tried around each of them; else among digits.
type pattern struct {
	Kind
	anchors []string // in lower case when fold is set
	fold    bool     // anchors are found in any case
	reach   int      // bytes from an anchor on that the expression may need, up to the next space; 0: to the end
	digits  int      // without anchors: at least so many digits stand together
	between string   // without anchors: what may stand between them
	marks   string   // without anchors: what must stand among them
	least   int      // so many of marks
	re      *regexp.Regexp
	group   bool // the first group that matched is the sensitive part; else the whole match is
	valid   func(text string) bool
	length  func(text string) int // in place of valid: so much of the text is sensitive, from its start on
}

// Kinds gives all built-in kinds, secrets first.
func Kinds() []Kind {
	out := make([]Kind, 0, 24)
	for _, p := range builtIn() {
		if !slices.ContainsFunc(out, func(k Kind) bool { return k.Name == p.Name }) {
			out = append(out, p.Kind)
		}
	}
	return out
}

// New makes a detector of some built-in kinds, all of them when kinds is empty,
// and of custom ones. A class name stands for its kinds. An unknown kind is an
// error that names the nearest known one.
func NewDetector(kinds []string, custom ...Custom) (*Detector, error) {
	all := builtIn()
	d := &Detector{}
	var errs []error
	for _, name := range kinds {
		if !slices.ContainsFunc(all, func(p pattern) bool { return p.is(name) }) {
			errs = append(errs, unknown(name))
		}
	}
	for _, p := range all {
		if len(kinds) == 0 || slices.ContainsFunc(kinds, p.is) {
			d.patterns = append(d.patterns, p)
			d.assigned = d.assigned || p.Name == assignedSecret
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
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return d, nil
}

func (p pattern) is(name string) bool { return name == p.Name || name == string(p.Class) }

// maxPattern bounds an expression of somebody's own, in bytes: every text is
// searched with it.
const maxPattern = 4096

func (c Custom) compile() (pattern, error) {
	if c.Name == "" || strings.ContainsAny(c.Name, "[] \t\n") {
		return pattern{}, fmt.Errorf("pattern name %q: want a word", c.Name)
	}
	if len(c.Pattern) > maxPattern {
		return pattern{}, fmt.Errorf("pattern %s: %d bytes are more than %d", c.Name, len(c.Pattern), maxPattern)
	}
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return pattern{}, fmt.Errorf("pattern %s: %w", c.Name, err)
	}
	if c.Pattern == "" || re.MatchString("") {
		return pattern{}, fmt.Errorf("pattern %s: matches the empty text", c.Name)
	}
	return pattern{Kind: Kind{Name: c.Name, Class: ClassPII}, re: re, group: re.NumSubexp() > 0}, nil
}

// Find gives the places of sensitive text, in order and without overlap. It
// takes time in proportion to the text.
func (d *Detector) Find(text string) []Match {
	var found, own []Match
	sc := scan{text: text}
	if sc.typeset() {
		if plain := inASCII(text); len(plain) < len(text) {
			sc = scan{text: plain}
		}
	}
	for i := range d.patterns {
		p := &d.patterns[i]
		if len(p.anchors) == 0 && p.digits == 0 {
			own = p.findAll(own, text)
			continue
		}
		for _, w := range sc.windows(p) {
			found = p.find(found, sc.text, w)
		}
	}
	if len(sc.text) < len(text) {
		found = back(text, apart(found))
	}
	return apart(append(found, own...))
}

// find appends the matches inside a window.
func (p *pattern) find(found []Match, text string, w window) []Match {
	for at := w.start; at < w.end; {
		loc := p.re.FindStringSubmatchIndex(text[at:w.end])
		if loc == nil {
			break
		}
		start, end := p.part(loc)
		start, end = start+at, end+at
		if n := p.check(text[start:end]); n > 0 {
			at = start + n // what the expression saw behind it may begin the next one
			found = append(found, Match{p.Name, p.Class, start, at})
			continue
		}
		// Among digits a match may hide another: "2026 4111 ...". Elsewhere it is
		// passed over whole, which keeps time in proportion.
		if p.digits > 0 {
			end = start
		}
		at = max(skipWord(text, end), at+1)
	}
	return found
}

// check gives how much of what the expression found is sensitive.
func (p *pattern) check(text string) int {
	switch {
	case p.length != nil:
		return p.length(text)
	case p.valid != nil && text != "" && !p.valid(text):
		return 0
	}
	return len(text)
}

// findAll appends the matches in all of a text, for an expression of which
// nothing is known: it may ask where the text begins.
func (p *pattern) findAll(found []Match, text string) []Match {
	for _, loc := range p.re.FindAllStringSubmatchIndex(text, -1) {
		if start, end := p.part(loc); start < end {
			found = append(found, Match{p.Name, p.Class, start, end})
		}
	}
	return found
}

// part gives the sensitive part of a match.
func (p *pattern) part(loc []int) (start, end int) {
	if p.group {
		for g := 2; g < len(loc); g += 2 {
			if loc[g] >= 0 {
				return loc[g], loc[g+1]
			}
		}
	}
	return loc[0], loc[1]
}

// skipWord gives the end of the letters and digits at i.
func skipWord(text string, i int) int {
	for i < len(text) && (isDigit(text[i]) || isLetter(text[i]) || text[i] == '+') {
		i++
	}
	return i
}

func isDigit(c byte) bool  { return c-'0' <= 9 }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

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

func unknown(name string) error {
	names := []string{string(ClassSecret), string(ClassPII)}
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	if near := fault.Nearest(name, names); near != "" {
		return fmt.Errorf("unknown kind %q: did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown kind %q: want one of %s", name, strings.Join(names, ", "))
}
