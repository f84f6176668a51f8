package model

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// TestClassification maps what servers answer to reasons. Every row is a real exchange
// with a server in this process.
func TestClassification(t *testing.T) {
	t.Parallel()
	const leak = "the customer's words" // is in every error body and must not come through
	reply := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	hijack := func(then func(net.Conn)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			then(conn)
			_ = conn.Close()
		}
	}
	openAI := func(code, kind string) string {
		return `{"error":{"message":"` + leak + `","type":"` + kind + `","param":null,"code":"` + code + `"}}`
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		reason  eval.Reason
		again   bool
		wait    time.Duration
		timeout time.Duration
	}{
		"rate limit": {
			handler: reply(429, openAI("rate_limit_exceeded", "requests"), "Retry-After", "7"),
			reason:  eval.ReasonRateLimited, again: true, wait: 7 * time.Second,
		},
		"quota used up":                    {handler: reply(429, openAI("insufficient_quota", "insufficient_quota"), "Retry-After", "7"), reason: eval.ReasonQuota},
		"payment required":                 {handler: reply(402, leak), reason: eval.ReasonQuota},
		"bad key":                          {handler: reply(401, openAI("invalid_api_key", "invalid_request_error")), reason: eval.ReasonAuth},
		"forbidden":                        {handler: reply(403, "<html>"+leak), reason: eval.ReasonAuth},
		"bad request":                      {handler: reply(400, openAI("bad", "invalid_request_error")), reason: eval.ReasonBadRequest},
		"unknown model, error is a string": {handler: reply(404, `{"error":"`+leak+`"}`), reason: eval.ReasonBadRequest},
		"bad request, flat object":         {handler: reply(400, `{"object":"error","message":"`+leak+`","type":"BadRequestError","code":400}`), reason: eval.ReasonBadRequest},
		"content filter":                   {handler: reply(400, openAI("content_filter", "")), reason: eval.ReasonContentFilter},
		"content filter of Azure": {
			handler: reply(400, `{"error":{"message":"`+leak+`","code":null,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`),
			reason:  eval.ReasonContentFilter,
		},
		"request timeout":              {handler: reply(408, leak), reason: eval.ReasonTimeout, again: true},
		"gateway timeout":              {handler: reply(504, leak), reason: eval.ReasonTimeout, again: true},
		"bad gateway, HTML":            {handler: reply(502, "<html>"+leak), reason: eval.ReasonUnavailable, again: true},
		"unavailable, empty":           {handler: reply(503, "", "Retry-After-Ms", "1500"), reason: eval.ReasonUnavailable, again: true, wait: 1500 * time.Millisecond},
		"unavailable, list of errors":  {handler: reply(503, `[{"error":{"code":503,"message":"`+leak+`","status":"UNAVAILABLE"}}]`), reason: eval.ReasonUnavailable, again: true},
		"error of 300 KB":              {handler: reply(500, strings.Repeat(leak, 15_000)), reason: eval.ReasonUnavailable, again: true},
		"redirect":                     {handler: reply(307, leak, "Location", "http://127.0.0.1:1/"), reason: eval.ReasonBadRequest},
		"success with an error inside": {handler: reply(200, `{"error":{"message":"`+leak+`","type":"upstream"}}`), reason: eval.ReasonUnavailable, again: true},
		"success with a rate limit inside": {
			handler: reply(200, openAI("rate_limit_exceeded", ""), "Retry-After", "2"),
			reason:  eval.ReasonRateLimited, again: true, wait: 2 * time.Second,
		},
		"success with a quota error inside": {handler: reply(200, openAI("insufficient_quota", "")), reason: eval.ReasonQuota},
		"success with a status inside":      {handler: reply(200, `{"error":{"message":"`+leak+`","code":401}}`), reason: eval.ReasonAuth},
		"success without a choice":          {handler: reply(200, `{"choices":[]}`), reason: eval.ReasonUnavailable, again: true},
		"success, garbage":                  {handler: reply(200, leak), reason: eval.ReasonUnavailable, again: true},
		"success, empty":                    {handler: reply(200, ""), reason: eval.ReasonUnavailable, again: true},
		"success above the bound":           {handler: reply(200, `{"x":"`+strings.Repeat("x", int(replyLimit(DefaultConfig())))+`"}`), reason: eval.ReasonUnparsable},
		"refusal":                           {handler: reply(200, completion(`{"role":"assistant","content":"","refusal":"`+leak+`"}`)), reason: eval.ReasonRefused},
		"answer cut off":                    {handler: reply(200, strings.Replace(said("{"), `"stop"`, `"length"`, 1)), reason: eval.ReasonTruncated},
		"answer filtered":                   {handler: reply(200, strings.Replace(said(""), `"stop"`, `"content_filter"`, 1)), reason: eval.ReasonContentFilter},
		"connection closed": {
			handler: hijack(func(net.Conn) {}),
			reason:  eval.ReasonUnavailable, again: true,
		},
		"half a reply": {
			handler: hijack(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"choices\":[")
			}),
			reason: eval.ReasonUnavailable, again: true,
		},
		"connection reset": {
			handler: hijack(func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
				_ = c.(*net.TCPConn).SetLinger(0)
			}),
			reason: eval.ReasonUnavailable, again: true,
		},
		"no answer": {
			handler: func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client go
				<-r.Context().Done()
			},
			reason: eval.ReasonTimeout, again: true, timeout: 150 * time.Millisecond,
		},
		"slow drip": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for {
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-tick.C:
					case <-r.Context().Done():
						return
					}
				}
			},
			reason: eval.ReasonTimeout, again: true, timeout: 150 * time.Millisecond,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := endpoint(t, tt.handler, func(c *Config, _ *Deps) {
				c.Format = judges.FormatFenced // the last rung: errors come through as they are
				if tt.timeout > 0 {
					c.Timeout = tt.timeout
				}
			})
			_, err := m.Complete(t.Context(), ask())
			if got := eval.ReasonOf(err); got != tt.reason {
				t.Fatalf("reason = %q (%v); want %q", got, err, tt.reason)
			}
			f := asFailure(err)
			if f.retryable != tt.again {
				t.Errorf("again = %v; want %v", f.retryable, tt.again)
			}
			if f.pause != tt.wait {
				t.Errorf("wait = %v; want %v", f.pause, tt.wait)
			}
			if strings.Contains(err.Error(), leak) || len(err.Error()) > 300 {
				t.Errorf("the error repeats what the server wrote: %.400s", err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	m := endpoint(t, http.NotFoundHandler(), func(c *Config, _ *Deps) { c.BaseURL = "http://" + addr })
	a, err := m.Complete(t.Context(), ask())
	if f := asFailure(err); eval.ReasonOf(err) != eval.ReasonUnavailable || !f.retryable || !f.uncharged {
		t.Errorf("err = %v (again %v, free %v); want unavailable, again and free", err, f.retryable, f.uncharged)
	}
	if !a.Usage.CostKnown || a.Usage.CostNanoUSD != 0 {
		t.Errorf("usage = %+v; want a known cost of zero", a.Usage)
	}
}

func TestCanceledIsNotATimeout(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	m := endpoint(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := m.Complete(ctx, ask())
	if eval.ReasonOf(err) != eval.ReasonCanceled {
		t.Errorf("err = %v; want canceled", err)
	}
}

func TestPauseOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"nothing":                       {nil, 0},
		"seconds":                       {map[string]string{"Retry-After": "20"}, 20 * time.Second},
		"part of a second":              {map[string]string{"Retry-After": "0.25"}, 250 * time.Millisecond},
		"date":                          {map[string]string{"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30 * time.Second},
		"date that has passed":          {map[string]string{"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0},
		"milliseconds win":              {map[string]string{"Retry-After": "20", "retry-after-ms": "1200"}, 1200 * time.Millisecond},
		"garbage":                       {map[string]string{"Retry-After": "soon"}, 0},
		"negative":                      {map[string]string{"Retry-After": "-5"}, 0},
		"not a number":                  {map[string]string{"Retry-After": "NaN"}, 0},
		"a day":                         {map[string]string{"Retry-After": "86400"}, maxPause},
		"infinity":                      {map[string]string{"Retry-After": "Inf"}, maxPause},
		"reset of the limit used up":    {map[string]string{"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s", "x-ratelimit-reset-tokens": "5m"}, 62 * time.Second},
		"longer of two":                 {map[string]string{"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3"}, 3 * time.Second},
		"reset of a limit not used up":  {map[string]string{"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "5m"}, 0},
		"reset that cannot be read":     {map[string]string{"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "later"}, 0},
		"Retry-After before the resets": {map[string]string{"Retry-After": "1", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "5m"}, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for k, v := range tt.header {
				h.Set(k, v)
			}
			if got := retryAfter(h, now); got != tt.want {
				t.Errorf("got %v; want %v", got, tt.want)
			}
		})
	}
}

// FuzzDetails: code and type of an error look like codes, whatever the body.
func FuzzDetails(f *testing.F) {
	f.Add([]byte(`{"error":{"code":"rate_limit_exceeded","type":"requests","param":"response_format.type"}}`))
	f.Add([]byte(`[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]`))
	f.Add([]byte(`{"object":"error","type":"BadRequestError","code":"a b"}`))
	f.Add([]byte(`{"error":"no such model"}`))
	f.Add([]byte(`[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		code, kind, param := looseDetails(body)
		for _, s := range []string{code, kind, param} {
			if s != safeCode(s) || len(s) > 64 {
				t.Errorf("%q is no code", s)
			}
		}
	})
}
