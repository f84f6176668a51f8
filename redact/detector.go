package redact

import (
	"bytes"
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
	finders  []finder
	assigned bool // assigned_secret is among them
}

// finder is one way to find a kind. If it has anchors, the expression is tried
// around each of them; else among digits. The finder of a [Pattern] has neither:
// its expression is tried on the whole text.
type finder struct {
	Kind
	anchors []string // in lower case when fold is set
	fold    bool     // anchors are found in any case
	reach   int      // bytes after the start of an anchor that the expression may need, extended to the next space; 0: to the end
	digits  int      // without anchors: least number of digits in a run
	between string   // without anchors: characters allowed between them
	marks   string   // without anchors: characters required among them
	least   int      // least number of marks
	re      *regexp.Regexp
	group   bool // the first group that matched is the sensitive part; else the whole match is
	valid   func(text string) bool
	length  func(text string) int // instead of valid: how many bytes from the start of the text are sensitive
}

// Kinds returns all built-in kinds, secrets first.
func Kinds() []Kind {
	out := make([]Kind, 0, 24)
	for _, f := range builtIn() {
		if !slices.Contains(out, f.Kind) {
			out = append(out, f.Kind)
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
	for _, f := range builtIn() {
		if len(kinds) == 0 || slices.ContainsFunc(kinds, f.is) {
			d.finders = append(d.finders, f)
			d.assigned = d.assigned || f.Name == assignedSecret
		}
	}
	for _, p := range patterns {
		f, err := p.compile()
		d.finders, errs = append(d.finders, f), append(errs, err)
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
	problem = fmt.Sprintf("unknown kind %q", name)
	if near := fault.Nearest(name, names); near != "" {
		return problem, fmt.Sprintf("did you mean %q?", near)
	}
	return problem, "want one of " + strings.Join(names, ", ")
}

// Find returns the places of sensitive text, in order and without overlap. It
// takes time linear in the text.
func (d *Detector) Find(text string) []Match {
	var found, custom []Match
	h := newHaystack(text)
	// The first bytes of the characters that toASCII replaces.
	if h.seen[0xc2] || h.seen[0xe2] || h.seen[0xe3] || h.seen[0xef] {
		if ascii := toASCII(text); len(ascii) < len(text) {
			h = newHaystack(ascii)
		}
	}
	for i := range d.finders {
		f := &d.finders[i]
		if len(f.anchors) == 0 && f.digits == 0 {
			custom = f.findAll(custom, text)
			continue
		}
		for _, w := range h.windows(f) {
			found = f.find(found, h.text, w)
		}
	}
	if len(h.text) < len(text) {
		found = toOriginal(text, joinMatches(found))
	}
	return joinMatches(append(found, custom...))
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
		if n := f.check(text[start:end]); n > 0 {
			at = start + n // text that the expression matched after it may begin the next one
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

// check returns how many bytes of the text that the expression found are sensitive.
func (f *finder) check(text string) int {
	switch {
	case f.length != nil:
		return f.length(text)
	case f.valid != nil && text != "" && !f.valid(text):
		return 0
	}
	return len(text)
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

// assignedSecret is the kind of a value that only its name shows to be a secret.
const assignedSecret = "assigned_secret"

// FindField is [Detector.Find] for the value of a named field, such as a member
// of a JSON object. If the name is that of a password, a key or a token, the whole
// value is sensitive, whatever it looks like.
func (d *Detector) FindField(name, value string) []Match {
	found := d.Find(value)
	if value == "" || len(found) == 1 && found[0].End-found[0].Start == len(value) {
		return found
	}
	if secret, token := d.judgeName(name); secret || token && len(value) >= 8 && looksRandom(value) {
		return []Match{{assignedSecret, ClassSecret, 0, len(value)}}
	}
	return found
}

// NamesSecret reports whether every value under that name is a secret.
func (d *Detector) NamesSecret(name string) bool {
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
