package event

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// text is the form of a string. A number is read as it is written, because a version
// or an id often has digits only.
func text[T any](at func(*T) *string) form[T] {
	return form[T]{"a string", func(d *decoder, into *T, t jsonscan.Token) result {
		s, r := d.text(t)
		if r == found {
			*at(into) = s
		}
		return r
	}}
}

func (d *decoder) text(t jsonscan.Token) (string, result) {
	switch t.Kind {
	case jsonscan.String:
		if t.End-t.Start == len(`""`) {
			return "", absent
		}
		return d.string(t), found
	case jsonscan.Number:
		return string(d.raw(t)), found
	}
	d.skip(t)
	return "", d.orWrong(t)
}

// orWrong returns the result for a value of another type: absent for null.
func (d *decoder) orWrong(t jsonscan.Token) result {
	if d.isNull(t) {
		return absent
	}
	return wrong
}

// id is the form of an id. A number is read when it has all its digits.
func id[T any](at func(*T) *ID) form[T] {
	return form[T]{"a string, or a whole number that has all its digits", func(d *decoder, into *T, t jsonscan.Token) result {
		if t.Kind == jsonscan.Number && !isInteger(d.raw(t)) {
			n, ok := wholeNumber(d.raw(t))
			if !ok || n >= exactBelow || n <= -exactBelow {
				return wrong
			}
			*at(into) = ID(strconv.FormatInt(n, 10))
			return found
		}
		s, r := d.text(t)
		if r == found {
			*at(into) = ID(s)
		}
		return r
	}}
}

// exactBelow bounds the whole numbers that a double holds one by one: beyond it, a
// publisher that writes a fraction or an exponent has lost digits.
const exactBelow = 1 << 53

func readKind(d *decoder, e *Event, t jsonscan.Token) result {
	if t.Kind != jsonscan.String {
		d.skip(t)
		return d.orWrong(t)
	}
	switch string(d.raw(t)) {
	case `"` + string(KindRequestCompleted) + `"`:
		e.Kind = KindRequestCompleted
	case `"` + string(KindUserFeedback) + `"`:
		e.Kind = KindUserFeedback
	default:
		e.Kind = Kind(d.string(t))
	}
	return found
}

const wantRequestID = "a string, or a whole number that has all its digits"

// readRequestID accepts a string or an integer: log pipelines often write numeric
// ids bare. It is stricter than other ids, because it is the idempotency key.
func readRequestID(d *decoder, e *Event, t jsonscan.Token) result {
	if t.Kind == jsonscan.Number && !isInteger(d.raw(t)) {
		return wrong
	}
	s, r := d.text(t)
	e.RequestID = RequestID(s)
	return r
}

// integer is the form of an integer: also as a float without a fraction, or as the
// text of either.
func integer[T any](at func(*T) **int64) form[T] {
	return form[T]{"an integer", func(d *decoder, into *T, t jsonscan.Token) result {
		digits, r := d.digits(t)
		if r != found {
			return r
		}
		n, ok := wholeNumber(digits)
		if !ok {
			return wrong
		}
		*at(into) = keep(&d.integers, n)
		return found
	}}
}

// number is the form of a number, or its text.
func number[T any](at func(*T) **float64) form[T] {
	return form[T]{"a number", func(d *decoder, into *T, t jsonscan.Token) result {
		digits, r := d.digits(t)
		if r != found {
			return r
		}
		n, err := strconv.ParseFloat(string(digits), 64)
		if err != nil {
			return wrong
		}
		*at(into) = keep(&d.numbers, n)
		return found
	}}
}

// millis is the form of a time in milliseconds: a number, or a text that may name its
// unit, such as "1430ms" or "1.43s".
func millis[T any](at func(*T) **float64) form[T] {
	plain := number(at)
	return form[T]{plain.want, func(d *decoder, into *T, t jsonscan.Token) result {
		r := plain.read(d, into, t)
		if r != wrong || t.Kind != jsonscan.String {
			return r
		}
		n, ok := namedDuration(d.data[t.Start+1 : t.End-1])
		if !ok {
			return wrong
		}
		*at(into) = keep(&d.numbers, n)
		return found
	}}
}

// keep returns a pointer to a value in memory that several share.
func keep[T any](memory *[]T, v T) *T {
	if len(*memory) == cap(*memory) {
		*memory = make([]T, 0, 8)
	}
	*memory = append(*memory, v)
	return &(*memory)[len(*memory)-1]
}

// digits returns a number as it is written in JSON. Empty text is not a value, as in
// tables where a cell is empty.
func (d *decoder) digits(t jsonscan.Token) ([]byte, result) {
	switch t.Kind {
	case jsonscan.Number:
		return d.raw(t), found
	case jsonscan.String:
		s := bytes.TrimSpace(d.data[t.Start+1 : t.End-1])
		scan := jsonscan.New(s, 0)
		number, _ := scan.Next()
		switch {
		case len(s) == 0:
			return nil, absent
		case number.Kind == jsonscan.Number && scan.Whole():
			return s, found
		}
		return nil, wrong
	}
	d.skip(t)
	return nil, d.orWrong(t)
}

// wholeNumber returns the integer that a JSON number is, also when it is written with
// a fraction of zeros or an exponent.
func wholeNumber(number []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(number), 10, 64); err == nil {
		return n, true
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(number)), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	scale := 0
	if exponent != "" {
		var err error
		if scale, err = strconv.Atoi(exponent); err != nil {
			return 0, false
		}
	}
	digits := strings.TrimRight(whole+fraction, "0")
	scale += len(whole) - len(digits)
	switch {
	case strings.Trim(digits, "-") == "":
		return 0, true
	case scale < 0 || scale > len("9223372036854775807"):
		return 0, false
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", scale), 10, 64)
	return n, err == nil
}

// boolean is the form of a boolean, its text, or 0 and 1.
func boolean[T any](at func(*T) **bool) form[T] {
	return form[T]{"true or false", func(d *decoder, into *T, t jsonscan.Token) result {
		b, r := d.boolean(t)
		if r == found {
			*at(into) = &b
		}
		return r
	}}
}

func (d *decoder) boolean(t jsonscan.Token) (value bool, r result) {
	switch t.Kind {
	case jsonscan.Literal:
		if d.isNull(t) {
			return false, absent
		}
		return d.data[t.Start] == 't', found
	case jsonscan.String:
		switch s := bytes.TrimSpace(d.data[t.Start+1 : t.End-1]); {
		case len(s) == 0:
			return false, absent
		case bytes.EqualFold(s, []byte("true")):
			return true, found
		case bytes.EqualFold(s, []byte("false")):
			return false, found
		}
	}
	digits, r := d.digits(t)
	if r != found {
		return false, r
	}
	if n, ok := wholeNumber(digits); ok && (n == 0 || n == 1) {
		return n == 1, found
	}
	return false, wrong
}

// content is the form of content: any JSON value.
func content[T any](at func(*T) *Content) form[T] {
	return form[T]{"a JSON value", func(d *decoder, into *T, t jsonscan.Token) result {
		value := d.value(t)
		switch {
		case d.isNull(t):
			return absent
		case value == nil:
			return wrong
		}
		*at(into) = newContent(value)
		return found
	}}
}

const wantLLMObsSource = "sdk or otel"

// readLLMObsSource reads what made a span, in any case and with white space around it.
func readLLMObsSource(d *decoder, l *LLMObs, t jsonscan.Token) result {
	s, r := d.text(t)
	if r != found {
		return r
	}
	switch s = strings.ToLower(strings.TrimSpace(s)); s {
	case LLMObsSDK, LLMObsOTel:
		l.Source = s
	case "opentelemetry":
		l.Source = LLMObsOTel
	default:
		return wrong
	}
	return found
}

// readStatus reads a status as [NormalStatus] does. A number that is not a status of HTTP
// has no meaning.
func readStatus(d *decoder, e *Event, t jsonscan.Token) result {
	s, r := d.text(t)
	if r != found {
		return r
	}
	if t.Kind == jsonscan.Number {
		n, ok := wholeNumber(d.raw(t))
		if s = strconv.FormatInt(n, 10); !ok || NormalStatus(s) == s {
			return wrong
		}
	}
	e.Status = NormalStatus(s)
	return found
}

// The values of status.
const (
	statusSuccess = "success"
	statusError   = "error"
)

// NormalStatus returns a status in the form that conditions compare: one of HTTP is
// success below 300 and an error from 400 on. Any other is returned as it is; the 100s
// and 300s say nothing about a finished request.
func NormalStatus[T ~string | ~[]byte](s T) T {
	if len(s) != 3 || s[1] < '0' || s[1] > '9' || s[2] < '0' || s[2] > '9' {
		return s
	}
	switch s[0] {
	case '2':
		return T(statusSuccess)
	case '4', '5':
		return T(statusError)
	}
	return s
}

// readRating reads a rating as [NormalRating] does, but for the number -1, which stays
// one; a boolean is a thumb.
func readRating(d *decoder, e *Event, t jsonscan.Token) result {
	switch t.Kind {
	case jsonscan.String:
		if e.UserRating = Rating(d.string(t)); e.UserRating != minusOne {
			e.UserRating = NormalRating(e.UserRating)
		}
		return found
	case jsonscan.Number:
		n, err := strconv.ParseFloat(string(d.raw(t)), 64)
		switch {
		case err != nil:
			return wrong
		case n == -1:
			e.UserRating = minusOne
		default:
			e.UserRating = Rating(formatDecimal(n))
		}
		return found
	}
	if t.Kind == jsonscan.Literal && !d.isNull(t) {
		e.UserRating = RatingDown
		if d.data[t.Start] == 't' {
			e.UserRating = RatingUp
		}
		return found
	}
	d.skip(t)
	return d.orWrong(t)
}

const wantTime = "a time in RFC 3339 with its zone, for example 2026-01-31T12:00:00Z, or seconds, milliseconds, microseconds or nanoseconds since 1970"

// readTime reads a time: RFC 3339, or a number since 1970, which is common in logs.
// Zero is an absent time, because some software writes unset times as zero.
func readTime(d *decoder, e *Event, t jsonscan.Token) result {
	if t.Kind == jsonscan.String {
		s := strings.TrimSpace(d.string(t))
		for _, layout := range [...]string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 Z0700"} {
			if at, err := time.Parse(layout, s); err == nil {
				e.OccurredAt = at
				return found
			}
		}
	}
	digits, r := d.digits(t)
	if r != found {
		return r
	}
	n, err := strconv.ParseFloat(string(digits), 64)
	switch {
	case err != nil || n < 0:
		return wrong
	case n == 0:
		return absent
	}
	at, ok := sinceEpoch(n)
	if !ok {
		return wrong
	}
	e.OccurredAt = at
	return found
}

// sinceEpoch returns the time that is n after the beginning of 1970. Numbers below
// 10^11 are seconds (10^11 seconds end in the year 5138) and those below a thousand
// times that are milliseconds (10^11 milliseconds end in 1973); microseconds and
// nanoseconds follow likewise.
func sinceEpoch(n float64) (time.Time, bool) {
	const seconds = 1e11
	for range 3 {
		if n < seconds {
			break
		}
		n /= 1000
	}
	return time.UnixMicro(int64(math.Round(n * 1e6))).UTC(), n < seconds
}
