package model

import (
	"bytes"
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

// classify says why a call came to nothing: the library gave an error, or none
// and no choice either.
func classify(ctx context.Context, err error, seen *exchange) error {
	if cause := ctx.Err(); cause != nil {
		// A reply that came in half when the time was up is a timeout, not a broken server.
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

// transport classes an error without an answer: no connection, a connection
// that was reset, or a request that the library refused to send.
func classifyTransport(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		op, dialled := errors.AsType[*net.OpError](err)
		return fail(eval.ReasonUnavailable, failure{
			what: "no answer", cause: u.Err, retryable: true,
			uncharged: dialled && op.Op == "dial", // nobody was asked
		})
	}
	return fail(eval.ReasonBadRequest, failure{what: "call refused by the client library"})
}

// hollow classes a success that holds no completion. Some proxies answer 200
// with an error inside, which counts as what it says; the rest is a server that
// breaks, and it may be whole the next time.
func classifySuccess(err error, seen *exchange) error {
	code, kind, param := errorDetails(nil, seen.body)
	if code == "" && kind == "" {
		what := "reply without a choice"
		if err != nil {
			what = "reply is no completion" // the library's error quotes the reply
		}
		return fail(eval.ReasonUnavailable, failure{what: what, status: seen.status, retryable: true})
	}
	status := http.StatusBadGateway
	if n, err := strconv.Atoi(code); err == nil && n >= 400 && n <= 599 {
		status = n
	} else if s, ok := statusByCode[code]; ok {
		status = s
	} else if s, ok := statusByCode[kind]; ok {
		status = s
	}
	return classifyStatus(status, seen, code, kind, param)
}

// statusOf gives the status that belongs to an error's code or type.
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

// byStatus classes an error that a server reported under this status.
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

// Codes of errors that their status does not tell apart.
const (
	codeQuota   = "insufficient_quota" // under 429, and no wait helps
	codeBilling = "billing_hard_limit_reached"
	codeFilter  = "content_filter"
	codePolicy  = "content_policy_violation"
)

// namesFormat reports whether the server refused the request because of its
// response_format. OpenAI's errors say so in param. Other servers have no field
// for it and name the parameter somewhere in the body, so the name is looked
// for there: it is a word of the protocol, and no error in words says it. An
// error that repeats the request says it too, which is not the same.
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

// saysFormat looks for the name in a decoded value, but for what repeats the
// request: members named as FastAPI and pydantic do, and what stands behind such
// a name in a text, as when a gateway puts their error into its own.
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

// details reads an error's code, type and parameter. The library's RequestError
// is tested first: around an error that it could not read it also holds an
// APIError, and that one is empty.
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

// flat reads the shapes of an error that the library does not: {"error": {..}}
// under a success, [{"error": {..}}], and an object that is the error itself.
func looseDetails(body []byte) (code, kind, param string) {
	body = bytes.TrimSpace(body)
	if bytes.HasPrefix(body, []byte("[")) {
		var list []json.RawMessage
		if json.Unmarshal(body, &list) != nil || len(list) == 0 {
			return "", "", ""
		}
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
	case len(f.Error) > 0 && f.Error[0] == '{':
		inner := f.Error
		f = fields{}
		if json.Unmarshal(inner, &f) != nil {
			return "", "", ""
		}
		if f.Type == "" {
			f.Type = "error"
		}
	case len(f.Error) > 0 && f.Error[0] == '"':
		f.Type = "error"
	case f.Object != "error":
		return "", "", ""
	}
	if f.Status != "" && f.Type == "error" {
		f.Type = f.Status
	}
	return safeCode(strings.Trim(string(f.Code), `"`)), safeCode(f.Type), safeCode(f.Param)
}
