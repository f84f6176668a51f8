package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/sensitive"
)

// maxDepth bounds the JSON values inside each other that are redacted; deeper
// ones are withheld.
const maxDepth = 128

var (
	errTooDeep = fmt.Errorf("nested deeper than %d values", maxDepth)
	errInvalid = errors.New("invalid JSON")
)

// longNumber is the number of bytes from which on a JSON number is looked at: a
// payment card's has twelve digits at least.
const longNumber = 12

// redactJSON gives a JSON value with its strings, object keys and long numbers
// redacted, and everything else byte for byte. It gives nil when there is
// nothing to redact.
func redactJSON(d *sensitive.Detector, raw []byte) ([]byte, error) {
	if !json.Valid(raw) {
		return nil, errInvalid
	}
	w := jsonWalk{find: d, raw: raw}
	for w.pos < len(raw) {
		if err := w.token(); err != nil {
			return nil, err
		}
	}
	if w.kept == 0 {
		return nil, nil
	}
	return append(w.out, raw[w.kept:]...), nil
}

// jsonWalk goes over a valid JSON value token by token.
type jsonWalk struct {
	find  *sensitive.Detector
	raw   []byte
	pos   int    // of the next token
	out   []byte // redacted copy of raw[:kept]
	kept  int    // 0: nothing has been redacted
	stack []frame
}

// frame is one open object or array.
type frame struct {
	object  bool
	wantKey bool           // of an object: the next string is a key
	key     string         // the last key; of an array, that under which it stands
	markers map[string]int // redacted keys of this object, by how often
}

func (w *jsonWalk) token() error {
	switch c := w.raw[w.pos]; c {
	case '{', '[':
		if len(w.stack) == maxDepth {
			return errTooDeep
		}
		f := frame{object: c == '{', wantKey: c == '{'}
		if n := len(w.stack); n > 0 && !f.object {
			f.key = w.stack[n-1].key // a list of passwords is called as one is
		}
		w.stack = append(w.stack, f)
		w.pos++
	case '}', ']':
		w.stack = w.stack[:len(w.stack)-1]
		w.pos++
	case ',':
		top := &w.stack[len(w.stack)-1]
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

// text redacts the string that begins at pos.
func (w *jsonWalk) text() error {
	start := w.pos
	token := w.raw[start:stringEnd(w.raw, start)]
	w.pos += len(token)
	s, err := unquote(token)
	if err != nil {
		return err
	}
	var top *frame
	if len(w.stack) > 0 {
		top = &w.stack[len(w.stack)-1]
	}
	switch {
	case top == nil:
		if found := w.find.Find(s); len(found) > 0 {
			return w.put(start, replace(s, found))
		}
	case top.wantKey:
		top.wantKey, top.key = false, s
		if found := w.find.Find(s); len(found) > 0 {
			return w.put(start, top.name(replace(s, found)))
		}
	default:
		if found := w.find.FindField(top.key, s); len(found) > 0 {
			return w.put(start, replace(s, found))
		}
	}
	return nil
}

// name gives a redacted key, with a number when the object has one like it, so
// that no member hides another.
func (f *frame) name(key string) string {
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
	if w.pos-start < longNumber {
		return
	}
	if found := w.find.Find(string(w.raw[start:w.pos])); len(found) > 0 {
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
