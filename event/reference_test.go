//go:build go1.26

package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// This file reads events with encoding/json and its rules: what it accepts, Decode
// reads as the same event.

func referenceDecode(data []byte) (*Event, bool) {
	var w wire
	if json.Unmarshal(data, &w) != nil {
		return nil, false
	}
	w.mergeAliases()
	return &w.Event, readableIDs(&w.Event)
}

// readableIDs reports whether the event's ids are none that Decode leaves out.
func readableIDs(e *Event) bool {
	_, _, parent := ParseTraceparent(e.TraceContext.Get(HeaderTraceparent))
	_, trace := ParseTraceID(e.TraceID)
	_, span := ParseSpanID(e.SpanID)
	for _, name := range [...]string{HeaderDDTraceID, headerB3, headerB3TraceID, HeaderTraceID, headerLogTraceID} {
		if e.TraceContext.Get(name) != "" {
			return false
		}
	}
	return (trace || e.TraceID == "") && (span || e.SpanID == "") && (parent || e.TraceContext.Get(HeaderTraceparent) == "")
}

type wire struct {
	Event
	OccurredAt       timestamp `json:"occurred_at"` // reading accepts more forms than writing uses
	LatencyAlias     *float64  `json:"latency_ms"`
	TimestampAlias   timestamp `json:"timestamp"`
	EnvAlias         string    `json:"env"`
	PromptTokens     *int64    `json:"prompt_tokens"`
	CompletionTokens *int64    `json:"completion_tokens"`
	CostAlias        *float64  `json:"cost_usd"`
	MessagesAlias    Content   `json:"messages"`
	ResponseAlias    Content   `json:"response"`
	CompletionAlias  Content   `json:"completion"`
}

func (w *wire) mergeAliases() {
	e := &w.Event
	e.LatencyMS = firstNonNil(e.LatencyMS, w.LatencyAlias)
	e.InputTokens = firstNonNil(e.InputTokens, w.PromptTokens)
	e.OutputTokens = firstNonNil(e.OutputTokens, w.CompletionTokens)
	e.EstimatedCostUSD = firstNonNil(e.EstimatedCostUSD, w.CostAlias)
	e.OccurredAt = time.Time(w.OccurredAt)
	if e.OccurredAt.IsZero() {
		e.OccurredAt = time.Time(w.TimestampAlias)
	}
	if e.Environment == "" {
		e.Environment = w.EnvAlias
	}
	if e.Input.IsZero() {
		e.Input = w.MessagesAlias
	}
	for _, c := range []Content{w.ResponseAlias, w.CompletionAlias} {
		if e.Output.IsZero() {
			e.Output = c
		}
	}
}

func firstNonNil[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// timestamp is a time as events carry it: RFC 3339, or a number since 1970, which
// is common in logs.
type timestamp time.Time

// UnmarshalJSON reads numbers below 10^11 as seconds (10^11 seconds end in the year
// 5138) and larger ones as milliseconds (10^11 milliseconds end in 1973). Zero is
// an absent time, because some software writes unset times as zero.
func (m *timestamp) UnmarshalJSON(b []byte) error {
	switch jsonKind(b) {
	case "null":
		return nil
	case "string":
		var t time.Time
		if json.Unmarshal(b, &t) == nil {
			*m = timestamp(t)
			return nil
		}
	case "number":
		const milliseconds = 1e11
		n, err := strconv.ParseFloat(string(b), 64)
		if n >= milliseconds {
			n /= 1000
		}
		if n == 0 && err == nil {
			return nil
		}
		if err == nil && n > 0 && n < milliseconds {
			*m = timestamp(time.UnixMicro(int64(math.Round(n * 1e6))).UTC())
			return nil
		}
	}
	return &json.UnmarshalTypeError{Value: jsonKind(b), Type: reflect.TypeFor[timestamp]()}
}

// UnmarshalJSON accepts a string or an integer.
func (r *RequestID) UnmarshalJSON(b []byte) error {
	s, err := unmarshalID(b)
	*r = RequestID(s)
	return err
}

// UnmarshalJSON accepts a string or an integer.
func (i *ID) UnmarshalJSON(b []byte) error {
	s, err := unmarshalID(b)
	*i = ID(s)
	return err
}

func unmarshalID(b []byte) (string, error) {
	if string(b) == "null" {
		return "", nil
	}
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	}
	// A publisher that writes a fraction or an exponent has lost digits of the id.
	if isInteger(b) {
		return string(b), nil
	}
	return "", &json.UnmarshalTypeError{Value: jsonKind(b), Type: reflect.TypeFor[string]()}
}

// UnmarshalJSON accepts a string or a number.
func (r *Rating) UnmarshalJSON(b []byte) error {
	switch jsonKind(b) {
	case "null":
		return nil
	case "string":
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*r = Rating(NormalRating(s))
		return nil
	case "number":
		if _, err := strconv.ParseFloat(string(b), 64); err == nil {
			*r = Rating(NormalRating(string(b)))
			return nil
		}
	}
	return &json.UnmarshalTypeError{Value: jsonKind(b), Type: reflect.TypeFor[Rating]()}
}

// UnmarshalJSON accepts numbers, booleans and lists besides strings: a sampling priority
// is often written as a bare number, and libraries of HTTP keep lists.
func (t *TraceContext) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if raw == nil {
		return nil
	}
	*t = make(TraceContext, len(raw))
	for k, v := range raw {
		switch jsonKind(v) {
		case "string":
			var s string
			if err := json.Unmarshal(v, &s); err != nil {
				return err
			}
			(*t)[k] = s
		case "number", "bool":
			(*t)[k] = string(v)
		case "array":
			var list []any
			if err := json.Unmarshal(v, &list); err != nil {
				return err
			}
			var texts []string
			for _, item := range list {
				if s, ok := item.(string); ok && !slices.Contains(texts, s) {
					texts = append(texts, s)
				}
			}
			if len(texts) > 0 {
				(*t)[k] = strings.Join(texts, ",")
			}
		}
	}
	return nil
}

// compareReference compares Decode with encoding/json on data that the latter accepts.
func compareReference(t *testing.T, data []byte) {
	t.Helper()
	want, ok := referenceDecode(data)
	if !ok || unlike(data) || mayHaveFacts(want.Output.raw) {
		return
	}
	got, err := Decode(data)
	var bad *Error
	switch {
	case err == nil:
		if d := got.Ignored(); d != nil || !sameEvent(want, got) {
			t.Fatalf("%s\nis %+v, ignored %q\nencoding/json: %+v", data, got, d, want)
		}
	case !errors.As(err, &bad) || bad.Reason == Malformed && want.Kind != "" && want.RequestID != "" && !strings.Contains(err.Error(), "more than"):
		t.Fatalf("%s: %v, and encoding/json reads it", data, err)
	}
}

// sameEvent compares events, and their contents byte by byte; an empty list is as good as
// none.
func sameEvent(a, b *Event) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y) && a.ignored == b.ignored && reflect.DeepEqual(a.faulty, b.faulty)
}

// unlike reports whether the two have a reason to differ: a name that stands twice,
// letters that encoding/json takes for ASCII, or a name that it does not know.
func unlike(data []byte) bool {
	seen := map[string]bool{}
	s := jsonscan.New(data, 0)
	for key, ok := s.Next(); ok; key, ok = s.Next() {
		if raw := data[key.Start:key.End]; key.Kind == jsonscan.Number && (len(raw) == 16 || !isInteger(raw) && isWhole(raw)) {
			return true // an id that Decode writes otherwise
		}
		if key.Kind != jsonscan.Key {
			continue
		}
		name, err := jsonscan.Unquote(data[key.Start:key.End])
		folded := strings.ToLower(name)
		place := strings.Repeat(".", s.Depth()) + folded
		if err != nil || seen[place] || strings.ContainsAny(name, "\u017f\u212a") {
			return true
		}
		if known, at := idName(name); known != "" && (s.Depth() == 1 && at != placeCamel || foldName(name) != strings.ReplaceAll(folded, "_", "")) {
			return true
		}
		if slices.Contains([]string{"dd", "trace", "span", "headers", "trace_headers", "traceid", "spanid"}, folded) {
			return true
		}
		var buf [maxMember]byte
		bare := foldPlain(buf[:0], name)
		if s.Depth() == 1 && (memberKindOf(bare, fieldOf(string(bare))) != memberNone || folded == "response") || respells(&theTables.event, folded) ||
			respells(&theTables.llmobs, folded) || respells(&theTables.retrieval, folded) || respells(&theTables.chunk, folded) {
			return true
		}
		seen[place] = true
		for _, o := range [...]map[string]int{extraNames(&theTables.event), extraNames(&theTables.retrieval), extraNames(&theTables.chunk)} {
			if o[folded] > 0 {
				return true
			}
		}
	}
	return false
}

// respells reports whether a name is one of a table without its underscores.
func respells[T any](o *object[T], name string) bool {
	if name == "" {
		return false
	}
	at := o.exactly([]byte(name))
	return at != nil && at.rank > respelt
}

func isWhole(number []byte) bool {
	_, ok := wholeNumber(number)
	return ok
}

// extraNames returns the names of a table that the reference does not know.
func extraNames[T any](o *object[T]) map[string]int {
	names := map[string]int{}
	for _, f := range o.rows {
		for _, alias := range f.aliases {
			if f.name == "chunks" || f.name == "retrieval.chunks" || o.prefix == "retrieval.chunks." || strings.HasPrefix(alias, "dd.") {
				names[alias]++
			}
		}
		if f.id < 0 || f.name == "retrieval.chunks" {
			names[f.name]++
		}
	}
	return names
}

// TestLikeEncodingJSON decodes generated events, proper and not.
func TestLikeEncodingJSON(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 20_000 {
		data := randomEvent(random)
		if _, ok := referenceDecode(data); ok {
			accepted++
		}
		compareReference(t, data)
	}
	if accepted < 5_000 {
		t.Errorf("encoding/json accepts %d of the events, too few to compare", accepted)
	}
}

// randomEvent returns a JSON object with some of the event's fields, most of them with
// a value of their type.
func randomEvent(r *rand.Rand) []byte {
	var b strings.Builder
	b.WriteString(`{"event":"llm_request_completed","request_id":` + pick(r, `"r"`, `17`, `"\u0072\n"`))
	written := map[string]bool{}
	for range r.IntN(12) {
		f := theTables.event.rows[2+r.IntN(len(theTables.event.rows)-2)]
		name := pick(r, append([]string{f.name}, f.aliases...)...)
		if written[name] {
			continue
		}
		written[name] = true
		if r.IntN(10) == 0 {
			name = strings.ToUpper(name)
		}
		b.WriteString(pick(r, ",", " ,\n", ",\t") + strconv.Quote(name) + pick(r, ":", " : ") + randomValue(r, f.name, f.want))
	}
	return []byte(b.String() + "}")
}

func randomValue(r *rand.Rand, name, want string) string {
	const stranger = 40 // one in so many values is of another type
	switch {
	case r.IntN(stranger) == 0:
		return pick(r, `null`, `[]`, `{}`, `""`, `1.5`, `true`, `"a"`, `[1]`, `{"a":1}`)
	case name == "retrieval":
		return pick(r, `null`, `{}`, `{"index":"i","extra":[1,{}],"hit_count":3,"top_score":0.25,"latency_ms":3}`,
			`{"chunks":[]}`, `{"chunks":[{"id":7,"text":"a\"b","score":1e-1},{"id":"x"},null,{}]}`)
	case name == "tool_calls":
		return pick(r, `null`, `[]`, `[{"name":"a","arguments":{"x":[1, 2]},"status":"error","latency_ms":1.5,"retry_count":1},{"id":"c"}]`)
	case name == "trace_context":
		return pick(r, `null`, `{}`, `{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","X-Datadog-Sampling-Priority":2,"a":true,"b":null,"c":{"d":1},"d":["x","y","x"]}`)
	case name == "trace_id", name == "span_id":
		return pick(r, `null`, `""`, `"8448eb211c80319c"`, `"123456789"`, `17`, `18446744073709551615`)
	case name == "llmobs":
		return pick(r, `null`, `{}`, `{"trace_id":12,"span_id":"\u0061"}`)
	}
	switch want {
	case "an integer":
		return pick(r, `0`, `-0`, `17`, `-3`, `9223372036854775807`, `9223372036854775808`, `null`)
	case "a number":
		return pick(r, `0`, `-0.0`, `17`, `1.5e-3`, `1E2`, `null`)
	case "true or false":
		return pick(r, `true`, `false`, `null`)
	case wantTime:
		return pick(r, `"2026-01-31T12:00:00Z"`, `"2026-01-31T12:00:00.123456789+05:30"`, `1769860800.25`, `1769860800250`, `0`, `null`)
	case "a JSON value":
		return pick(r, `"a"`, `"caf\u00e9 \ud83d\ude00 \ud83d"`, `{"a": [1, {"b":null}]}`, `[{"role":"user","content":"x"}]`, `1.50`, `""`, `null`, "\"\xff\"")
	}
	return pick(r, `"a"`, `"caf\u00e9\/\t"`, `"😀 \ud83d\ude00 \ud83d \udc00x"`, "\"\xff\xc3(\"", `""`, `null`)
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// FuzzLikeEncodingJSON compares the two on any input.
func FuzzLikeEncodingJSON(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(randomEvent(random))
	}
	f.Fuzz(compareReference)
}

// TestTablesFollowStructs: each field of an event has a row, under the name by which
// it is written, which sets this field and no other.
func TestTablesFollowStructs(t *testing.T) {
	t.Parallel()
	follows(t, &theTables.event, "retrieval.chunks")
	follows(t, &theTables.llmobs)
	follows(t, &theTables.retrieval)
	follows(t, &theTables.chunk, "metadata", "node", "payload", "_source")
}

func follows[T any](t *testing.T, o *object[T], extra ...string) {
	t.Helper()
	typ := reflect.TypeFor[T]()
	left := map[string]bool{}
	for _, f := range o.rows {
		left[f.name] = !slices.Contains(extra, f.name)
	}
	if len(o.rows) > most || len(o.names()) > len(o.slots)/2 {
		t.Errorf("%v: %d fields, %d names: more than the tables are made for", typ, len(o.rows), len(o.names()))
	}
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() {
			continue
		}
		if !left[name] {
			t.Errorf("%v.%s has no row %q", typ, f.Name, name)
			continue
		}
		left[name] = false
		set := false
		for _, value := range []string{`"7"`, `7`, `true`, `{"a":1}`, `[{}]`, `"otel"`} {
			var into T
			data := []byte(`{"` + name + `":` + value + `}`)
			d := newDecoder(&theTables, data)
			d.scan.Next()
			readMembers(&d, &into, o)
			v := reflect.ValueOf(into)
			set = set || !v.FieldByIndex(f.Index).IsZero()
			for other := range typ.Fields() {
				if other.Name != f.Name && !v.FieldByIndex(other.Index).IsZero() {
					t.Errorf("%s sets %s", data, other.Name)
				}
			}
		}
		if !set {
			t.Errorf("no value sets %v.%s", typ, f.Name)
		}
	}
	for name, superfluous := range left {
		if superfluous {
			t.Errorf("%v has no field %q", typ, name)
		}
	}
}
