package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// maxDepth bounds the nesting of JSON that is redacted; deeper JSON is an error.
const maxDepth = 128

var (
	errTooDeep = fmt.Errorf("nested deeper than %d values", maxDepth)
	errInvalid = errors.New("invalid JSON")
)

// longNumber is the length from which a JSON number is searched whatever its name,
// because payment card numbers have at least twelve digits.
const longNumber = 12

// jsonWalk redacts a JSON value token by token.
type jsonWalk struct {
	find  *Detector
	raw   string
	out   []byte // redacted copy of raw[:kept]
	kept  int    // 0: nothing has been redacted
	stack []frame
	above int // values around the string that holds raw; 0: no string does
	due   opening
	whole []string // what touches one of them is replaced as a whole
	inner []window // the middles of long strings
}

// frame is one open object or array. The first frame of a walk is the outside of
// the value and has no name.
type frame struct {
	object bool
	under  string         // key of this value in its parent
	key    string         // the last key; in an array, the array's own key
	secret string         // the secret's name that this value or one around it has; empty: none
	schema bool           // it is a JSON Schema, which describes values
	taken  map[string]int // redacted keys of this object, with their last number
}

// redact returns the value with its strings, object keys and numbers redacted, and
// everything else byte for byte. It returns nil when there is nothing to redact.
func (w *jsonWalk) redact() ([]byte, error) {
	if len(w.stack) == 0 {
		w.stack = append(w.stack, frame{})
	}
	s := jsonscan.New(w.raw, 0)
	for t, ok := s.Next(); ok; t, ok = s.Next() {
		if err := w.token(t); err != nil {
			return nil, err
		}
	}
	switch {
	case !s.Whole():
		return nil, errInvalid
	case w.kept == 0:
		return nil, nil
	}
	return append(w.out, w.raw[w.kept:]...), nil
}

func (w *jsonWalk) token(t jsonscan.Token) error {
	switch t.Kind {
	case jsonscan.Object, jsonscan.Array:
		if w.depth() == maxDepth {
			return errTooDeep
		}
		w.open(t.Kind == jsonscan.Object)
	case jsonscan.Close:
		w.stack = w.stack[:len(w.stack)-1]
	case jsonscan.Key, jsonscan.String:
		return w.text(t)
	case jsonscan.Number:
		w.number(t)
	}
	return nil
}

// depth returns the number of values around the next one, including those around
// the string that holds this JSON.
func (w *jsonWalk) depth() int { return w.above + len(w.stack) - 1 }

func (w *jsonWalk) top() *frame { return &w.stack[len(w.stack)-1] }

func (w *jsonWalk) open(object bool) {
	top := w.top()
	f := frame{object: object, under: top.key}
	if name := top.name(); w.find.namesSecret(name) {
		f.secret = name
	}
	if object {
		f.schema = top.object && holdsSchemas(top.under)
	} else {
		f.key = top.key // each item of "passwords" is a password
	}
	w.stack = append(w.stack, f)
}

// name returns the name by which the next value is judged.
func (f *frame) name() string {
	if f.secret == "" || f.schema && describes(f.key) {
		return f.key
	}
	return f.secret
}

// holdsSchemas reports whether the members of the object under this key are
// schemas: there "password" names the description of a secret, not a secret.
func holdsSchemas(key string) bool {
	return key == "properties" || key == "$defs" || key == "definitions"
}

// describes reports whether a keyword of JSON Schema only describes values;
// "default" and "examples" hold some.
func describes(keyword string) bool {
	switch keyword {
	case "type", "format", "title", "description", "$ref", "$comment",
		"properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf",
		"pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum":
		return true
	}
	return false
}

// text redacts a string or a key.
func (w *jsonWalk) text(t jsonscan.Token) error {
	s, err := jsonscan.Unquote(w.raw[t.Start:t.End])
	if err != nil {
		return errInvalid
	}
	if t.Kind == jsonscan.Key {
		w.top().key = s
		clean := w.find.clean("", s)
		if touches(s, w.whole) {
			clean = marker(redactedMark)
		}
		if clean != s || s != "" && s[0] == '[' {
			clean = w.top().unique(clean)
		}
		if clean == s {
			return nil
		}
		return w.put(t, clean)
	}
	if touches(s, w.whole) && !w.find.isMarker(s) {
		return w.put(t, marker(redactedMark))
	}
	redacted, err := w.value(s)
	if err != nil {
		return err
	}
	if clean := w.due.clean(w.find, redacted); clean != redacted {
		redacted = w.find.clean("", clean)
	}
	if w.top().key == roleKey && w.find.nameMatters(redacted) {
		redacted = marker(roleKey) // it is shown before the text, as in "password: ..."
	}
	w.due.note(w.find, s)
	if redacted == s {
		w.noteInner(t)
		return nil
	}
	return w.put(t, redacted)
}

// roleKey is the name of the member that says who speaks.
const roleKey = "role"

// value redacts the text of a string. JSON in a string, such as the arguments of a
// tool or one more string, is redacted as JSON first, so that a password is known by
// its name.
func (w *jsonWalk) value(s string) (string, error) {
	name := w.top().name()
	if raw := strings.TrimSpace(s); isEnclosed(raw) && !w.find.namesSecret(name) {
		if w.depth() >= maxDepth {
			return "", errTooDeep
		}
		in := jsonWalk{find: w.find, raw: raw, above: w.depth() + 1}
		in.stack = append(in.stack, frame{key: name})
		redacted, err := in.redact()
		isJSON := err == nil || json.Valid([]byte(raw))
		switch {
		case isJSON && err != nil:
			return "", err
		case redacted != nil:
			s = strings.Replace(s, raw, string(redacted), 1)
		}
		if isJSON && w.above > 0 {
			return s, nil // the outermost string is searched as text, which covers all levels
		}
	}
	return w.find.clean(name, s), nil
}

// isEnclosed reports whether a text may be an object, an array or a string.
func isEnclosed(s string) bool {
	if len(s) < 2 {
		return false
	}
	last := s[len(s)-1]
	return (s[0] == '{' || s[0] == '[') && last == s[0]+2 || s[0] == '"' && last == '"' // in ASCII, '}' is '{'+2 and ']' is '['+2
}

// unique returns a key that is or looks redacted, with a number if the object already
// has the same one, so that no member hides another.
func (f *frame) unique(key string) string {
	if f.taken == nil {
		f.taken = map[string]int{}
	}
	name := key
	for f.taken[name] > 0 {
		f.taken[key]++
		name = key + "#" + strconv.Itoa(f.taken[key])
	}
	f.taken[name]++
	return name
}

func (w *jsonWalk) number(t jsonscan.Token) {
	name := w.top().name()
	if touches(w.raw[t.Start:t.End], w.whole) {
		w.splice(t, []byte(strconv.Quote(marker(redactedMark))))
		return
	}
	if t.End-t.Start < longNumber && !w.find.nameMatters(name) {
		return
	}
	if found := w.find.findField(name, w.raw[t.Start:t.End]); len(found) > 0 {
		w.splice(t, []byte(strconv.Quote(marker(found[0].Kind))))
	}
}

// put replaces a token by a JSON string.
func (w *jsonWalk) put(t jsonscan.Token, s string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	w.splice(t, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

func (w *jsonWalk) splice(t jsonscan.Token, replacement []byte) {
	w.out = append(w.out, w.raw[w.kept:t.Start]...)
	w.out = append(w.out, replacement...)
	w.kept = t.End
}
