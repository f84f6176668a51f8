package redact

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
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

// is reports whether name is the name of the kind or of its class.
func (k Kind) is(name string) bool { return name == k.Name || name == string(k.Class) }

// Match is one place in a text, as byte offsets.
type Match struct {
	Kind       string
	Class      Class
	Start, End int
}

// Detector finds some kinds of sensitive text. It never changes and is safe for
// concurrent use.
type Detector struct {
	kinds    []Kind
	starts   starts   // what is told by its first letters
	labels   starts   // what a word before it tells
	shapes   shapes   // what is told by the places of its digits
	finders  []finder // what an expression tells
	patterns []finder // of the configuration
	folded   anchorTable
	assigned bool // assigned_secret is among the kinds
	labelled bool // some kinds are told by the word before a number
}

// finder is one way to find a kind. If it has anchors, the expression is tried
// around each of them; else among digits. The finder of a [Pattern] has neither:
// its expression is tried on the whole text.
type finder struct {
	Kind
	anchors []string // in lower case when fold is set
	fold    bool     // anchors are found in any case
	before  int      // bytes before an anchor that the expression may need, extended to the last space
	reach   int      // bytes after the start of an anchor that the expression may need, extended to the next space; 0: to the end
	digits  int      // without anchors: least number of digits in a run
	between string   // without anchors: characters allowed between them
	marks   string   // without anchors: characters required among them
	least   int      // least number of marks
	re      *regexp.Regexp
	group   bool // the first group that matched is the sensitive part; else the whole match is
	// measure returns the end of what is sensitive in text[start:end], which the
	// expression matched, by itself and by what surrounds it; start if nothing is.
	// Without it all is.
	measure func(text string, start, end int) int
}

// Kinds returns all built-in kinds, secrets first.
func Kinds() []Kind {
	ways := builtIn()
	out := make([]Kind, 0, 24)
	add := func(k Kind) {
		if !slices.ContainsFunc(out, func(o Kind) bool { return o.Name == k.Name }) {
			out = append(out, k)
		}
	}
	for _, class := range []Class{ClassSecret, ClassPII} {
		for _, f := range ways.finders {
			if f.Class == class {
				add(f.Kind)
			}
		}
		for _, s := range ways.starters {
			if s.Class == class {
				add(s.Kind)
			}
		}
		for _, s := range ways.shapes {
			if s.Class == class {
				add(s.Kind)
			}
		}
		if class == ClassSecret {
			add(Kind{assignedSecret, ClassSecret, "value of a password, key or token that is assigned"})
		}
	}
	return out
}

// NewDetector returns a detector of the named built-in kinds (all of them when
// kinds is empty) and of patterns. A class name selects all its kinds. The error
// for an unknown kind names the nearest known one.
func NewDetector(kinds []string, patterns ...Pattern) (*Detector, error) {
	d := &Detector{}
	known := Kinds()
	var errs []error
	for _, name := range kinds {
		if problem, expected := checkKind(name, known); problem != "" {
			errs = append(errs, errors.New(problem+": "+expected))
		}
	}
	wanted := func(k Kind) bool { return len(kinds) == 0 || slices.ContainsFunc(kinds, k.is) }
	for _, k := range known {
		if wanted(k) {
			d.kinds = append(d.kinds, k)
			if k.Name == assignedSecret {
				d.assigned = true
				d.folded.add(assignedAnchors[:]...)
			}
			d.labelled = d.labelled || k.Class == ClassPII
		}
	}
	ways := builtIn()
	for _, s := range ways.starters {
		if wanted(s.Kind) {
			d.starts.add(s)
		}
	}
	for _, s := range ways.labels {
		if wanted(s.Kind) {
			d.labels.add(s)
		}
	}
	for _, s := range ways.shapes {
		if wanted(s.Kind) {
			d.shapes.add(s)
			d.shapes.phone = d.shapes.phone || s.Name == "phone"
		}
	}
	for _, f := range ways.finders {
		if wanted(f.Kind) {
			d.finders = append(d.finders, f)
			if f.fold {
				d.folded.add(f.anchors...)
			}
		}
	}
	for _, p := range patterns {
		f, err := p.compile()
		d.kinds, d.patterns, errs = append(d.kinds, f.Kind), append(d.patterns, f), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return d, nil
}

// checkKind returns what is wrong with a name that is not a known kind or class.
func checkKind(name string, known []Kind) (problem, expected string) {
	names := []string{string(ClassSecret), string(ClassPII)}
	for _, k := range known {
		names = append(names, k.Name)
	}
	if slices.Contains(names, name) {
		return "", ""
	}
	return fmt.Sprintf("unknown kind %q", name), fault.Suggest(name, names, "")
}

// shortest is the length of the shortest text that holds anything, in bytes, such as
// the address ::a:b.
const shortest = 5

// Find returns the places of sensitive text, in order and without overlap. It
// takes time linear in the text.
//
// The text is searched as it is shown: without invisible characters, with escapes and
// encodings expanded, and with the characters of Unicode that stand for ASCII in
// ASCII. The expression of a [Pattern] also sees the text as it is.
func (d *Detector) Find(text string) []Match {
	if len(text) < shortest && len(d.patterns) == 0 {
		return nil
	}
	h := newHaystack(text, &d.folded, true)
	if !h.special {
		return joinMatches(d.custom(d.search(nil, &h), text))
	}
	var found []Match
	all := versions(text)
	for i := range all {
		if i == 0 && len(all) > 1 && all[1].as == 0 {
			continue // the next version says the same in ASCII
		}
		h = newHaystack(all[i].text, &d.folded, false)
		matches := joinMatches(d.custom(d.search(nil, &h), all[i].text))
		for at := i; at > 0; at = all[at].from {
			all[at].as.origin(all[all[at].from].text, matches)
		}
		found = append(found, matches...)
	}
	return joinMatches(d.custom(found, text))
}

// search appends the matches of the built-in kinds, in any order.
func (d *Detector) search(found []Match, h *haystack) []Match {
	found = d.starts.find(found, h, h.text)
	if h.digits >= leastDigits {
		found = d.shapes.find(found, h)
	}
	if h.digits >= leastLabelled && d.labels.groups != nil {
		found = d.labels.find(found, h, h.folded())
	}
	for i := range d.finders {
		f := &d.finders[i]
		for _, w := range h.windows(f) {
			found = f.find(found, h.text, w)
		}
	}
	if d.assigned {
		found = findAssigned(found, h)
	}
	return found
}

// custom appends the matches of the patterns of the configuration.
func (d *Detector) custom(found []Match, text string) []Match {
	for i := range d.patterns {
		found = d.patterns[i].findAll(found, text)
	}
	return found
}

// find appends the matches inside a window.
func (f *finder) find(found []Match, text string, w window) []Match {
	for at := w.start; at < w.end; {
		loc := f.re.FindStringSubmatchIndex(text[at:w.end])
		if loc == nil {
			break
		}
		start, end := f.part(loc)
		start, end = start+at, end+at
		sensitive := end
		if f.measure != nil {
			sensitive = f.measure(text, start, end)
		}
		if sensitive > start {
			at = sensitive // text that the expression matched after it may begin the next one
			found = append(found, Match{f.Name, f.Class, start, at})
			continue
		}
		// Among digits a rejected match may hide another: "2026 4111 ...".
		// Elsewhere it is skipped whole, which keeps the time linear.
		if f.digits > 0 {
			end = start
		}
		for end < len(text) && (isDigit(text[end]) || isLetter(text[end]) || text[end] == '+') {
			end++
		}
		at = max(end, at+1)
	}
	return found
}

// findAll appends the matches in the whole text, because the expression of a
// pattern may be anchored at its beginning.
func (f *finder) findAll(found []Match, text string) []Match {
	for _, loc := range f.re.FindAllStringSubmatchIndex(text, -1) {
		if start, end := f.part(loc); start < end {
			found = append(found, Match{f.Name, f.Class, start, end})
		}
	}
	return found
}

// part returns the sensitive part of a match.
func (f *finder) part(loc []int) (start, end int) {
	if f.group {
		for g := 2; g < len(loc); g += 2 {
			if loc[g] >= 0 {
				return loc[g], loc[g+1]
			}
		}
	}
	return loc[0], loc[1]
}

func isDigit(c byte) bool  { return c-'0' <= 9 }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// joinMatches sorts matches and joins those that overlap, because no part of
// either may stay. The kind is that of the match that begins first; of two that
// begin together, that of the more specific one, which comes first in found.
func joinMatches(found []Match) []Match {
	if len(found) < 2 {
		return found
	}
	slices.SortStableFunc(found, func(a, b Match) int { return cmp.Compare(a.Start, b.Start) })
	out := found[:1]
	for _, m := range found[1:] {
		if last := &out[len(out)-1]; m.Start < last.End {
			last.End = max(last.End, m.End)
			continue
		}
		out = append(out, m)
	}
	return out
}

// findField is [Detector.Find] for the value of a named field, such as a member
// of a JSON object. If the name is that of a password, a key or a token, the whole
// value is sensitive, whatever it looks like; if it announces a telephone number or
// the number of a passport, the value is read as one.
func (d *Detector) findField(name, value string) []Match {
	if value == "" || d.isMarker(value) {
		return nil
	}
	found := d.Find(value)
	if name == "" || !d.nameMatters(name) || len(found) == 1 && found[0].End-found[0].Start == len(value) {
		return found
	}
	if d.namesSecret(name) {
		return []Match{{assignedSecret, ClassSecret, 0, len(value)}}
	}
	// The name and the value, in the way of the JSON around them.
	before := `"` + name + `":"`
	return joinMatches(append(found, within(d.Find(before+value+`"`), len(before), len(value))...))
}

// nameMatters reports whether a value under the name may be sensitive by its name.
func (d *Detector) nameMatters(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	lower := strings.ToLower(name)
	if d.assigned && (slices.ContainsFunc(assignedAnchors[:], func(a string) bool { return strings.Contains(lower, a) }) || d.namesSecret(name)) {
		return true
	}
	if !d.labelled {
		return false
	}
	what := labelBefore(name, len(name))
	return what == labelPhone || what == labelSSN || d.labels.any(strings.Map(spaced, lower))
}

// spaced returns a space for the characters that join the words of a name.
func spaced(r rune) rune {
	if r == '_' || r == '-' {
		return ' '
	}
	return r
}

// namesSecret reports whether every value under that name is a secret.
func (d *Detector) namesSecret(name string) bool {
	secret, _ := d.judgeName(name)
	return secret
}

// maxName bounds the names that are examined, in bytes.
const maxName = 128

// judgeName reports whether every value under a name is a secret, or every value
// that looks random. It compares the name in lower case, without separators and in
// the singular.
func (d *Detector) judgeName(name string) (secret, token bool) {
	if !d.assigned || len(name) > maxName {
		return false, false
	}
	var buf [maxName]byte
	bare := buf[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			bare = append(bare, c|0x20)
		case c != '_' && c != '-' && c != '.' && c != ' ':
			bare = append(bare, c)
		}
	}
	bare = bytes.TrimSuffix(bare, []byte("s"))
	secret = slices.ContainsFunc(secretNames[:], func(n string) bool { return bytes.HasSuffix(bare, []byte(n)) })
	return secret, bytes.HasSuffix(bare, []byte("token"))
}

// secretNames are the ends of names whose values are secrets. "key" and "token" alone
// are not among them: most keys are keys of a table, and most tokens are words.
var secretNames = [...]string{
	"password", "passwd", "passphrase", "pwd", "secret", "credential", "authorization",
	"apikey", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey",
	"accesstoken", "refreshtoken", "authtoken", "sessiontoken", "idtoken", "bearertoken", "apitoken",
}
