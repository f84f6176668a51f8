package model

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// failure is a model call that failed. Of what the server wrote it holds only a
// code and a type, and only when they look like codes.
type failure struct {
	what   string // in our own words; empty when the status says it all
	status int    // 0: there was no answer
	code   string
	kind   string
	cause  error // of the transport; nil when the server answered

	retryable      bool          // the same call may succeed later
	uncharged      bool          // the server refused, so nothing was charged
	formatRejected bool          // the server does not support the response_format
	pause          time.Duration // that the server asks of all calls
}

func (f *failure) Error() string {
	var parts []string
	if f.what != "" {
		parts = append(parts, f.what)
	}
	if f.status != 0 {
		parts = append(parts, "status "+strconv.Itoa(f.status))
	}
	if f.code != "" {
		parts = append(parts, "code "+f.code)
	}
	if f.kind != "" {
		parts = append(parts, "type "+f.kind)
	}
	s := strings.Join(parts, ", ")
	if f.cause != nil {
		s += ": " + f.cause.Error()
	}
	return s
}

func (f *failure) Unwrap() error { return f.cause }

// fail returns f as an error with a reason.
func fail(reason eval.Reason, f failure) error { return eval.WithReason(reason, &f) }

// asFailure returns the failure in err; the zero failure when there is none.
func asFailure(err error) failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return *f
	}
	return failure{}
}

// safeCode returns s if it looks like a code and not like prose, else "": what a
// server writes into an error may quote the request.
func safeCode(s string) string {
	prose := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
	}
	if len(s) > 64 || strings.ContainsFunc(s, prose) {
		return ""
	}
	return s
}
