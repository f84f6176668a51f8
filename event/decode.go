package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reason says in one word why bytes are not an event; it becomes a metric tag.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"     // invalid JSON, a wrong type, or a required field missing
	UnknownEvent Reason = "unknown_event" // a kind of event that this version does not know
	TooLarge     Reason = "too_large"     // above the configured size
)

// Error reports that bytes are not an event. The same bytes always cause it, so
// trying again is useless: a worker dead-letters the message.
type Error struct {
	Reason Reason
	Err    error
}

// Error returns the reason and the cause.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func newError(reason Reason, err error) error { return &Error{Reason: reason, Err: err} }

// wire adds to an Event the names under which some teams log the same facts.
// Where both are present the canonical name wins.
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

// Aliases returns the other names that are accepted for fields: alias to
// canonical name.
func Aliases() map[string]string {
	return map[string]string{
		"latency_ms":        "llm_latency_ms",
		"timestamp":         "occurred_at",
		"env":               "environment",
		"prompt_tokens":     "input_tokens",
		"completion_tokens": "output_tokens",
		"cost_usd":          "estimated_cost_usd",
		"messages":          "input",
		"response":          "output",
		"completion":        "output",
	}
}

// Decode reads one event. It is a tolerant reader: fields that it does not
// know are ignored, and known aliases are accepted ([Aliases]).
//
// Every error is an [*Error]. Its reason is [UnknownEvent] for a kind of event that
// this version does not know, and [Malformed] for data that is not a JSON object,
// is nested deeper than [MaxDepth], has a list longer than [MaxItems], has a field
// of the wrong type (the error names the field) or lacks a required field.
// The error names fields and types, never values.
func Decode(data []byte) (*Event, error) {
	if err := checkBounds(data); err != nil {
		return nil, newError(Malformed, err)
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, newError(Malformed, describeError(data, err))
	}
	w.mergeAliases()
	return w.validate()
}

// DecodeStrict is Decode for tools that report misspelt fields: a field that the
// event does not define is an error too.
func DecodeStrict(data []byte) (*Event, error) {
	if err := checkBounds(data); err != nil {
		return nil, newError(Malformed, err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var w wire
	if err := dec.Decode(&w); err != nil {
		return nil, newError(Malformed, describeError(data, err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, newError(Malformed, errors.New("more than one JSON value"))
	}
	w.mergeAliases()
	return w.validate()
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

func (w *wire) validate() (*Event, error) {
	e := w.Event
	var missing []string
	if e.Kind == "" {
		missing = append(missing, "event")
	}
	if e.RequestID == "" {
		missing = append(missing, "request_id")
	}
	if len(missing) > 0 {
		return nil, newError(Malformed, fmt.Errorf("missing %s", strings.Join(missing, " and ")))
	}
	if !slices.Contains([]Kind{KindRequestCompleted, KindUserFeedback}, e.Kind) {
		return nil, newError(UnknownEvent, fmt.Errorf("event: not one of %s, %s", KindRequestCompleted, KindUserFeedback))
	}
	return &e, nil
}

// describeError replaces the decoder's error by one that names the place and
// holds no content.
func describeError(data []byte, err error) error {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ):
		field := strings.TrimPrefix(typ.Field, "Event.")
		value, _, _ := strings.Cut(typ.Value, " ") // "number 1.5": the number is content
		if field == "" {
			return fmt.Errorf("a JSON %s, want an object", value)
		}
		if typ.Type == reflect.TypeFor[timestamp]() {
			return fmt.Errorf("%s: want a time in RFC 3339, for example 2026-01-31T12:00:00Z, or a number: seconds or milliseconds since 1970", field)
		}
		return fmt.Errorf("%s: a JSON %s, want %s", field, value, describeType(typ.Type.Kind().String()))
	case errors.As(err, &syntax):
		if len(bytes.TrimSpace(data)) == 0 {
			return errors.New("empty message")
		}
		return fmt.Errorf("invalid JSON at byte %d", syntax.Offset)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		// encoding/json has no error type for this. A field's name is not content.
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("invalid JSON: it ends too early")
	}
	return errors.New("invalid JSON")
}

func describeType(kind string) string {
	switch kind {
	case "struct", "map":
		return "an object"
	case "slice", "array":
		return "an array"
	case "int64":
		return "an integer"
	case "float64":
		return "a number"
	case "string":
		return "a string"
	}
	return "a " + kind
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
