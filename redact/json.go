package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the JSON values inside each other that are redacted; deeper
// ones are withheld.
const maxDepth = 128

var (
	errTooDeep = fmt.Errorf("nested deeper than %d values", maxDepth)
	errInvalid = errors.New("invalid JSON")
)

// longNumber is the number of bytes from which on a JSON number is looked at
// whatever its name: a payment card's has twelve digits at least.
const longNumber = 12

// redactJSON gives a JSON value with its strings, object keys and numbers
// redacted, and everything else byte for byte. It gives nil when there is
// nothing to redact.
func redactJSON(d *Detector, raw []byte) ([]byte, error) {
	if !json.Valid(raw) {
		return nil, errInvalid
	}
	w := jsonWalk{find: d, raw: raw}
	return w.redact()
}

// jsonWalk goes over a valid JSON value token by token.
type jsonWalk struct {
	find  *Detector
	raw   []byte
	pos   int    // of the next token
	out   []byte // redacted copy of raw[:kept]
	kept  int    // 0: nothing has been redacted
	stack []frame
	above int // values around the string that holds raw; 0: no string does
}

// frame is one open object or array.
type frame struct {
	object  bool
	wantKey bool           // of an object: the next string is a key
	under   string         // the key under which it stands
	key     string         // the last key; of an array, that under which it stands
	secret  string         // the name of a secret that stands here or further out; empty: none
	schema  bool           // says what a value may be, as JSON Schema does
	markers map[string]int // redacted keys of this object, by how often
}

func (w *jsonWalk) redact() ([]byte, error) {
	for w.pos < len(w.raw) {
		if err := w.token(); err != nil {
			return nil, err
		}
	}
	if w.kept == 0 {
		return nil, nil
	}
	return append(w.out, w.raw[w.kept:]...), nil
}

func (w *jsonWalk) token() error {
	switch c := w.raw[w.pos]; c {
	case '{', '[':
		if w.above+len(w.stack) == maxDepth {
			return errTooDeep
		}
		w.open(c == '{')
		w.pos++
	case '}', ']':
		w.stack = w.stack[:len(w.stack)-1]
		w.pos++
	case ',':
		top := w.top()
		top.wantKey = top.object
		w.pos++
	case '"':
		return w.text()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		w.number()
	default: // space, colon, true, false, null
		w.pos++
	}
	return nil
}

// top gives the innermost open value; outside of all, one without a name.
func (w *jsonWalk) top() *frame {
	if len(w.stack) == 0 {
		return &frame{}
	}
	return &w.stack[len(w.stack)-1]
}

func (w *jsonWalk) open(object bool) {
	top := w.top()
	f := frame{object: object, wantKey: object, under: top.key}
	if name := top.name(); w.find.NamesSecret(name) {
		f.secret = name
	}
	if object {
		f.schema = top.object && holdsSchemas(top.under)
	} else {
		f.key = top.key // a list of passwords is called as one is
	}
	w.stack = append(w.stack, f)
}

// name gives the name that tells what the next value is.
func (f *frame) name() string {
	if f.secret == "" || f.schema && describes(f.key) {
		return f.key
	}
	return f.secret
}

// holdsSchemas reports whether the members of an object are schemas. Where they
// are, "password" names no secret but what one looks like.
func holdsSchemas(key string) bool {
	return key == "properties" || key == "$defs" || key == "definitions"
}

// describes reports whether a keyword of JSON Schema says something about values
// and holds none, as "default" and "examples" do.
func describes(keyword string) bool {
	switch keyword {
	case "type", "format", "title", "description", "$ref", "$comment",
		"properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf",
		"pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum":
		return true
	}
	return false
}

// text redacts the string that begins at pos.
func (w *jsonWalk) text() error {
	start := w.pos
	token := w.raw[start:stringEnd(w.raw, start)]
	w.pos += len(token)
	s, err := unquote(token)
	if err != nil {
		return err
	}
	if top := w.top(); top.wantKey {
		top.wantKey, top.key = false, s
		if found := w.find.Find(s); len(found) > 0 {
			return w.put(start, top.unique(replace(s, found)))
		}
		return nil
	}
	redacted, err := w.value(s)
	if err != nil || redacted == s {
		return err
	}
	return w.put(start, redacted)
}

// value redacts what a string says. Arguments of tools are written as JSON in a
// string, where a password is known by its name, too.
func (w *jsonWalk) value(s string) (string, error) {
	name := w.top().name()
	if raw := strings.TrimSpace(s); holdsJSON(raw) && !w.find.NamesSecret(name) {
		in := jsonWalk{find: w.find, raw: []byte(raw), above: w.above + len(w.stack) + 1}
		redacted, err := in.redact()
		if err != nil {
			return "", err
		}
		if redacted != nil {
			s = strings.Replace(s, raw, string(redacted), 1)
		}
		if w.above > 0 {
			return s, nil // looked at as text with the string around it, once for all levels
		}
	}
	return replace(s, w.find.FindField(name, s)), nil
}

// holdsJSON reports whether a text is an object or an array.
func holdsJSON(s string) bool {
	if len(s) < 2 || s[0] != '{' && s[0] != '[' || s[len(s)-1] != s[0]+2 { // "}" and "]" follow on "{" and "[" in ASCII
		return false
	}
	return json.Valid([]byte(s))
}

// unique gives a redacted key, with a number when the object has one like it, so
// that no member hides another.
func (f *frame) unique(key string) string {
	if f.markers == nil {
		f.markers = map[string]int{}
	}
	f.markers[key]++
	if n := f.markers[key]; n > 1 {
		return key + "#" + strconv.Itoa(n)
	}
	return key
}

// number redacts the number that begins at pos.
func (w *jsonWalk) number() {
	start := w.pos
	for w.pos < len(w.raw) && bytes.IndexByte([]byte("+-.0123456789Ee"), w.raw[w.pos]) >= 0 {
		w.pos++
	}
	name := w.top().name()
	if w.pos-start < longNumber && !w.find.NamesSecret(name) {
		return
	}
	if found := w.find.FindField(name, string(w.raw[start:w.pos])); len(found) > 0 {
		w.splice(start, []byte(strconv.Quote(marker(found[0].Kind))))
	}
}

// put replaces the token from start to pos by a JSON string.
func (w *jsonWalk) put(start int, s string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	w.splice(start, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

func (w *jsonWalk) splice(start int, token []byte) {
	w.out = append(w.out, w.raw[w.kept:start]...)
	w.out = append(w.out, token...)
	w.kept = w.pos
}

// stringEnd gives the index behind the closing quote of the string at start.
func stringEnd(raw []byte, start int) int {
	for i := start + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw) // not reached in valid JSON
}

// unquote reads a JSON string.
func unquote(token []byte) (string, error) {
	inner := token[1 : len(token)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), nil
	}
	var s string
	if err := json.Unmarshal(token, &s); err != nil {
		return "", errInvalid
	}
	return s, nil
}
