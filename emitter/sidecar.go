package emitter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// maxAnswerBytes bounds what is read of a sidecar's answer.
const maxAnswerBytes = 1 << 20

// sidecarClient posts events to a sidecar.
type sidecarClient struct {
	base  *url.URL
	token Secret
	http  http.Client
}

func newSidecarClient(cfg Config) *sidecarClient {
	base, _ := url.Parse(strings.TrimRight(cfg.Sidecar, "/")) // Validate has read it
	dialer := net.Dialer{Timeout: cfg.DialTimeout}
	return &sidecarClient{
		base: base, token: cfg.SidecarToken,
		http: http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
				MaxIdleConnsPerHost: cfg.InFlight, TLSHandshakeTimeout: cfg.DialTimeout,
			},
			// A sidecar does not redirect, and what it is redirected to must not get the token.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// validateSidecar returns the faults of a configuration that names a sidecar.
func (c Config) validateSidecar() (faults fault.List) {
	if u, err := url.Parse(c.Sidecar); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		faults.Add("sidecar", "is no URL of a sidecar", "want a form like http://127.0.0.1:8788")
	}
	if len(c.Brokers) > 0 {
		faults.Add("brokers", "are set beside sidecar", "set one of the two: the sidecar knows its brokers")
	}
	return faults
}

// sidecarAnswer is what a sidecar says of a request.
type sidecarAnswer struct {
	status   int
	Accepted int    `json:"accepted"`
	Rejected int    `json:"rejected"`
	Error    string `json:"error"`
	Faults   []struct {
		Line    int    `json:"line"` // from 1
		Problem string `json:"problem"`
	} `json:"faults"`
}

// post sends messages in one request, one on each line.
func (c *sidecarClient) post(ctx context.Context, ms []message) (*sidecarAnswer, error) {
	size := 0
	for i := range ms {
		size += len(ms[i].value) + 1
	}
	body := make([]byte, 0, size)
	for i := range ms {
		body = append(append(body, oneLine(ms[i].value)...), '\n')
	}
	return c.do(ctx, http.MethodPost, "/v1/events", body)
}

func (c *sidecarClient) do(ctx context.Context, method, path string, body []byte) (*sidecarAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, c.describe(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.describe(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	if err != nil {
		return nil, c.describe(err)
	}
	a := &sidecarAnswer{status: res.StatusCode}
	_ = json.Unmarshal(text, a) // what is no answer of a sidecar has its status alone
	return a, nil
}

// connect reports why the sidecar cannot take events. An empty body is refused by one
// that lets the application in.
func (c *sidecarClient) connect(ctx context.Context) error {
	a, err := c.do(ctx, http.MethodPost, "/v1/events", nil)
	if err == nil && a.status != http.StatusBadRequest && a.status != http.StatusAccepted {
		err = c.refusal(a)
	}
	if err != nil {
		return fmt.Errorf("connect to the sidecar: %w", err)
	}
	return nil
}

// describe rewrites an error of a request for an operator.
func (c *sidecarClient) describe(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("sidecar %s cannot be reached: %w; start emitter serve, or set sidecar to where it listens", c.base.Redacted(), op.Err)
	}
	return fmt.Errorf("sidecar %s: %w", c.base.Redacted(), err)
}

// refusal returns the error of an answer that is no success.
func (c *sidecarClient) refusal(a *sidecarAnswer) error {
	says := fmt.Sprintf("sidecar %s answers %d", c.base.Redacted(), a.status)
	if a.Error != "" {
		says += ": " + a.Error
	}
	if len(a.Faults) > 0 {
		says += ": " + a.Faults[0].Problem
	}
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
		return &conn.AccessError{Problem: says, Remedy: "set sidecar_token to what emitter serve has in --token-file", Err: errors.New(http.StatusText(a.status))}
	}
	return errors.New(says)
}

// post sends messages to the sidecar once and settles those that it has, or will never
// take. It returns the others, with the error.
func (e *Emitter) post(ctx context.Context, ms []message) (left []message, err error) {
	a, err := e.sidecar.post(ctx, ms)
	if err != nil {
		return ms, err
	}
	switch unnamed := a.Rejected > len(a.Faults); {
	case a.status == http.StatusAccepted:
		e.settle(ms, nil)
	case a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge:
		return ms, e.sidecar.refusal(a)
	case len(ms) > 1 && (unnamed || len(a.Faults) == 0):
		// Together they are too large, or which ones are refused is not said. Those that
		// were accepted are sent twice, which at least once allows.
		first, err1 := e.post(ctx, ms[:len(ms)/2])
		second, err2 := e.post(ctx, ms[len(ms)/2:])
		if err2 == nil {
			err2 = err1
		}
		return append(slices.Clip(first), second...), err2
	case len(ms) == 1:
		e.settle(ms, e.sidecar.refusal(a))
	default:
		e.settleLines(ms, a)
	}
	return nil, nil
}

// settleLines settles messages of which the sidecar has named those that it refuses.
func (e *Emitter) settleLines(ms []message, a *sidecarAnswer) {
	refused := make(map[int]string, len(a.Faults))
	for _, f := range a.Faults {
		refused[f.Line-1] = f.Problem
	}
	sent := make([]message, 0, len(ms))
	for i := range ms {
		if problem, ok := refused[i]; ok {
			e.settle(ms[i:i+1], fmt.Errorf("sidecar %s refuses the event: %s", e.sidecar.base.Redacted(), problem))
		} else {
			sent = append(sent, ms[i])
		}
	}
	e.settle(sent, nil)
}
