package model

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/eval"
)

// failure describes a model call that failed. Of the server's text it holds only a
// code and a type, and only when they look like codes.
type failure struct {
	what   string // in our own words; empty when the status is enough
	class  string // of what went wrong, one of few; empty when the reason is enough
	status int    // 0: there was no answer
	code   string
	kind   string
	mend   string // setting to mend, such as models.default.key_file; empty: not one alone
	cause  error  // of the transport; nil when the server answered

	retryable      bool          // the same call may succeed later
	uncharged      bool          // the server refused, so nothing was charged
	formatRejected bool          // the server does not support the response_format
	parameter      string        // that the server does not take, or paramThinking
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
	if f.mend != "" {
		s += "; mend " + f.mend
	}
	return s
}

// Cause returns the class of the failure: another one is news even within the minute in
// which a line of the log was written.
func (f *failure) Cause() string { return f.class }

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
			return fail(eval.ReasonTimeout, failure{what: "no answer within " + seen.age(), retryable: true})
		}
		return fail(eval.ReasonCanceled, failure{what: "call stopped"})
	}
	switch {
	case errors.Is(err, errReplyTooLarge):
		return fail(eval.ReasonUnparsable, failure{what: errReplyTooLarge.Error()})
	case seen.status == 0:
		return classifyTransport(err)
	case succeeded(seen.status):
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
		f := failure{what: "no answer", retryable: true, uncharged: dialled && op.Op == "dial"} // no server was reached
		if fault, ok := machineFault(err); ok {
			f.what, f.class, f.cause = "this machine could not make the call", fault.Error(), fault
			return fail(eval.ReasonLocal, f)
		}
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			f.class, f.cause = errno.Error(), errno // a number, so that it holds no content
		} else {
			var detail string
			f.class, detail = transportFault(u.Err)
			switch f.class {
			case classEnded, classEarly, classForName, classSigned, classInvalid: // the server did answer
				f.what = f.class + detail
			default:
				f.what += ": " + f.class + detail
			}
		}
		return fail(eval.ReasonUnavailable, f)
	}
	return fail(eval.ReasonBadRequest, failure{what: "call refused by the client library"})
}

// Classes of faults that [FaultOf] says how to mend.
const (
	className    = "the server's name cannot be resolved"
	classEnded   = "the server's certificate expired"
	classEarly   = "the server's certificate is not valid yet"
	classForName = "the server's certificate is for another name"
	classSigned  = "the server's certificate is signed by an unknown authority"
	classInvalid = "the server's certificate is not valid"
	classConnect = "cannot connect in time"
)

// transportFault names what is wrong with a connection in our own words: its class, and
// what may follow it. The transport's errors quote what a server sent, in headers, status
// lines and redirects, and a server may send content.
func transportFault(err error) (class, detail string) {
	if d, ok := errors.AsType[*net.DNSError](err); ok && !errors.Is(err, errConnectTimeout) {
		return className, " (" + d.Name + ")" // from the configuration
	}
	if c, ok := errors.AsType[x509.CertificateInvalidError](err); ok && c.Reason == x509.Expired && c.Cert != nil {
		if c.Cert.NotBefore.After(time.Now()) {
			return classEarly, " (from " + c.Cert.NotBefore.UTC().Format(time.RFC3339) + " on)"
		}
		return classEnded, " on " + c.Cert.NotAfter.UTC().Format(time.RFC3339)
	}
	return connectionFault(err), ""
}

// connectionFault names what is wrong with a connection that no class of its own has.
func connectionFault(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return classForName
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return classSigned
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return classInvalid
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server refused TLS"
	}
	op, network := errors.AsType[*net.OpError](err)
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errConnectTimeout):
		return classConnect
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case ok && timeout.Timeout():
		return "timeout"
	case network && op.Op == "dial":
		return "no connection"
	case network:
		return "the connection broke"
	}
	return "the server's reply is not HTTP, or broken"
}

// classifySuccess classifies a success without a completion. Some proxies answer
// 200 with an error inside, which counts as that error; anything else is a broken
// server, and a retry may succeed.
func classifySuccess(err error, seen *exchange) error {
	if errors.Is(err, errCutOff) {
		what := errCutOff.Error() + ": " + connectionFault(err)
		return fail(eval.ReasonUnavailable, failure{what: what, class: errCutOff.Error(), status: seen.status, retryable: true})
	}
	code, kind, param := errorDetails(nil, seen.body)
	if code == "" && kind == "" {
		what := errNoCompletion // any other error may quote the reply
		for _, known := range []error{errNoChoice, errInside} {
			if errors.Is(err, known) {
				what = known
			}
		}
		return fail(eval.ReasonUnavailable, failure{what: what.Error(), status: seen.status, retryable: true})
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
	refused := readRejection(status, seen.body, code, param)
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
	case refused != (rejection{}):
		f.formatRejected, f.parameter = refused.format, refused.parameter
		return fail(eval.ReasonBadRequest, f)
	case status == http.StatusConflict || status == http.StatusTooEarly || status >= 500 && status != http.StatusNotImplemented:
		f.retryable, f.pause = true, retryAfter(seen.header, time.Now())
		return fail(eval.ReasonUnavailable, f)
	}
	return fail(eval.ReasonBadRequest, f)
}

// Codes of errors that their status does not distinguish.
const (
	codeQuota   = "insufficient_quota" // under 429, but waiting does not help
	codeBilling = "billing_hard_limit_reached"
	codeFilter  = "content_filter"
	codePolicy  = "content_policy_violation"
)

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
				if c != 0 { // of a code that is null
					code = strconv.Itoa(c)
				}
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
		Object  string          `json:"object"`
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Code    json.RawMessage `json:"code"`
		Type    string          `json:"type"`
		Status  string          `json:"status"`
		Param   string          `json:"param"`
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
	case f.Object != "error" && (!says(f.Message) || !says(f.Code)):
		return "", "", ""
	}
	if f.Status != "" && f.Type == "error" {
		f.Type = f.Status
	}
	return safeCode(strings.Trim(string(f.Code), `"`)), safeCode(f.Type), safeCode(f.Param)
}
