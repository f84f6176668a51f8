package model

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/eval"
)

// failure describes a model call that failed. Of the server's text it holds only a
// code and a type, and only when they look like codes.
type failure struct {
	what   string // in our own words; empty when the status is enough
	status int    // 0: there was no answer
	code   string
	kind   string
	cause  error // of the transport; nil when the server answered

	retryable      bool          // the same call may succeed later
	uncharged      bool          // the server refused, so nothing was charged
	formatRejected bool          // the server does not support the response_format
	pause          time.Duration // that the server asks for, for all calls
}

func (f *failure) Error() string {
	s := f.what
	if f.status != 0 {
		s += ", status " + strconv.Itoa(f.status)
	}
	if f.code != "" {
		s += ", code " + f.code
	}
	if f.kind != "" {
		s += ", type " + f.kind
	}
	s = strings.TrimPrefix(s, ", ")
	if f.cause != nil {
		s += ": " + f.cause.Error()
	}
	return s
}

func (f *failure) Unwrap() error { return f.cause }

// fail returns f as an error with a reason.
func fail(reason eval.Reason, f failure) error { return eval.WithReason(reason, &f) }

// asFailure returns the failure in err, or the zero failure.
func asFailure(err error) failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return *f
	}
	return failure{}
}

// safeCode returns s if it looks like a code and not like prose, else "", because a
// server's error may quote the request.
func safeCode(s string) string {
	prose := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
	}
	if len(s) > 64 || strings.ContainsFunc(s, prose) {
		return ""
	}
	return s
}

// classify returns why a call failed, for which the library returned an error or a
// reply without a choice.
func classify(ctx context.Context, err error, seen *exchange) error {
	if cause := ctx.Err(); cause != nil {
		// A reply cut off by the deadline is a timeout, not a broken server.
		if errors.Is(cause, context.DeadlineExceeded) {
			return fail(eval.ReasonTimeout, failure{what: "no answer in time", cause: cause, retryable: true})
		}
		return fail(eval.ReasonCanceled, failure{what: "call stopped", cause: cause})
	}
	switch {
	case errors.Is(err, errReplyTooLarge):
		return fail(eval.ReasonUnparsable, failure{what: errReplyTooLarge.Error()})
	case seen.status == 0:
		return classifyTransport(err)
	case seen.status >= 200 && seen.status <= 299:
		return classifySuccess(err, seen)
	}
	code, kind, param := errorDetails(err, seen.body)
	return classifyStatus(seen.status, seen, code, kind, param)
}

// classifyTransport classifies an error without an answer: no connection, a
// connection that was reset, or a request that the library refused to send.
func classifyTransport(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		op, dialled := errors.AsType[*net.OpError](err)
		return fail(eval.ReasonUnavailable, failure{
			what: "no answer", cause: u.Err, retryable: true,
			uncharged: dialled && op.Op == "dial", // no server was reached
		})
	}
	return fail(eval.ReasonBadRequest, failure{what: "call refused by the client library"})
}

// classifySuccess classifies a success without a completion. Some proxies answer
// 200 with an error inside, which counts as that error; anything else is a broken
// server, and a retry may succeed.
func classifySuccess(err error, seen *exchange) error {
	code, kind, param := errorDetails(nil, seen.body)
	if code == "" && kind == "" {
		what := "reply without a choice"
		if err != nil {
			what = "reply is not a completion" // the library's error quotes the reply
		}
		return fail(eval.ReasonUnavailable, failure{what: what, status: seen.status, retryable: true})
	}
	status := cmp.Or(statusByCode[code], statusByCode[kind], http.StatusBadGateway)
	if n, err := strconv.Atoi(code); err == nil && n >= 400 && n <= 599 {
		status = n
	}
	return classifyStatus(status, seen, code, kind, param)
}

// statusByCode maps an error's code or type to its HTTP status.
var statusByCode = map[string]int{
	"rate_limit_exceeded":   http.StatusTooManyRequests,
	"rate_limit_error":      http.StatusTooManyRequests,
	"invalid_api_key":       http.StatusUnauthorized,
	"authentication_error":  http.StatusUnauthorized,
	"permission_error":      http.StatusForbidden,
	"invalid_request_error": http.StatusBadRequest,
	"not_found_error":       http.StatusNotFound,
	"overloaded_error":      http.StatusServiceUnavailable,
	"server_error":          http.StatusInternalServerError,
}

// classifyStatus classifies an error that a server reported under this status.
func classifyStatus(status int, seen *exchange, code, kind, param string) error {
	f := failure{status: seen.status, code: code, kind: kind, uncharged: true}
	switch {
	case status == http.StatusPaymentRequired || code == codeQuota || kind == codeQuota || code == codeBilling:
		return fail(eval.ReasonQuota, f)
	case code == codeFilter || code == codePolicy:
		return fail(eval.ReasonContentFilter, f)
	case status == http.StatusTooManyRequests:
		f.retryable, f.pause = true, retryAfter(seen.header, time.Now())
		return fail(eval.ReasonRateLimited, f)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fail(eval.ReasonAuth, f)
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		f.retryable, f.uncharged = true, false
		return fail(eval.ReasonTimeout, f)
	case status == http.StatusConflict || status == http.StatusTooEarly || status >= 500 && status != http.StatusNotImplemented:
		f.retryable, f.pause = true, retryAfter(seen.header, time.Now())
		return fail(eval.ReasonUnavailable, f)
	}
	f.formatRejected = rejectsFormat(status, seen.body, param)
	return fail(eval.ReasonBadRequest, f)
}

// Codes of errors that their status does not distinguish.
const (
	codeQuota   = "insufficient_quota" // under 429, but waiting does not help
	codeBilling = "billing_hard_limit_reached"
	codeFilter  = "content_filter"
	codePolicy  = "content_policy_violation"
)

// rejectsFormat reports whether the server rejected the request because of its
// response_format. OpenAI's errors name it in param. Other servers have no such
// field and name the parameter somewhere in the body. An error that only repeats
// the request names it too, but does not count.
func rejectsFormat(status int, body []byte, param string) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotImplemented:
	default:
		return false
	}
	if param != "" {
		return strings.HasPrefix(param, "response_format")
	}
	var v any
	if json.Unmarshal(body, &v) != nil {
		v = string(body)
	}
	return mentionsFormat(v)
}

// mentionsFormat reports whether a decoded value names the parameter. It skips
// copies of the request: the members that FastAPI and pydantic use for them, and in
// a string everything after such a name, because a gateway may quote their error.
func mentionsFormat(v any) bool {
	switch v := v.(type) {
	case string:
		for _, echo := range []string{`"input":`, `'input':`, "input_value=", `"body":`} {
			v, _, _ = strings.Cut(v, echo)
		}
		return strings.Contains(v, "response_format") || strings.Contains(v, "json_schema")
	case []any:
		return slices.ContainsFunc(v, mentionsFormat)
	case map[string]any:
		for name, member := range v {
			if name != "input" && name != "body" && (mentionsFormat(name) || mentionsFormat(member)) {
				return true
			}
		}
	}
	return false
}

// errorDetails returns an error's code, type and parameter. It tests for the
// library's RequestError first: for an error that the library could not parse, it
// wraps an APIError that is empty.
func errorDetails(err error, body []byte) (code, kind, param string) {
	if _, ok := errors.AsType[*openai.RequestError](err); !ok {
		if api, ok := errors.AsType[*openai.APIError](err); ok {
			switch c := api.Code.(type) {
			case string:
				code = c
			case int:
				code = strconv.Itoa(c)
			}
			if api.InnerError != nil && api.InnerError.Code == "ResponsibleAIPolicyViolation" {
				code = codeFilter
			}
			if api.Param != nil {
				param = *api.Param
			}
			return safeCode(code), safeCode(api.Type), safeCode(param)
		}
	}
	return looseDetails(body)
}

// looseDetails parses the shapes of an error that the library does not know:
// {"error": {..}} under a success, [{"error": {..}}], and an object that is the
// error itself.
func looseDetails(body []byte) (code, kind, param string) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	type fields struct {
		Object string          `json:"object"`
		Error  json.RawMessage `json:"error"`
		Code   json.RawMessage `json:"code"`
		Type   string          `json:"type"`
		Status string          `json:"status"`
		Param  string          `json:"param"`
	}
	var f fields
	if json.Unmarshal(body, &f) != nil {
		return "", "", ""
	}
	switch {
	case bytes.HasPrefix(f.Error, []byte("{")):
		inner := f.Error
		f = fields{}
		if json.Unmarshal(inner, &f) != nil {
			return "", "", ""
		}
		f.Type = cmp.Or(f.Type, "error")
	case bytes.HasPrefix(f.Error, []byte(`"`)):
		f.Type = "error"
	case f.Object != "error":
		return "", "", ""
	}
	if f.Status != "" && f.Type == "error" {
		f.Type = f.Status
	}
	return safeCode(strings.Trim(string(f.Code), `"`)), safeCode(f.Type), safeCode(f.Param)
}
