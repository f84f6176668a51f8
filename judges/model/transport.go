package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	replyFrame = 256 << 10 // bytes of a reply besides the answer, at most
	tokenBytes = 64        // bytes of a token in JSON, at most; 4 to 6 are usual
	maxError   = 64 << 10  // bytes that are read of an error's body
	maxDrain   = 64 << 10  // bytes of an unwanted rest that are read to keep the connection
)

// errReplyTooLarge ends a reply that is longer than max_tokens explains.
var errReplyTooLarge = errors.New("reply far above max_tokens")

// replyLimit returns the bound of a successful reply, in bytes. It depends on
// max_tokens because each call in flight holds a reply in memory: under a bound
// that fits any model's longest answer, a broken server could fill gigabytes.
func replyLimit(cfg Config) int64 {
	tokens := cfg.MaxTokens
	if capabilityOf(cfg.Model).reasons() {
		tokens += thinkingTokens
	}
	return replyFrame + tokenBytes*int64(tokens)
}

// exchange is one HTTP exchange as seen below the library, which drops most of it.
type exchange struct {
	status int // 0: no answer
	header http.Header
	body   []byte // bounded
}

type exchangeKey struct{}

// withExchange returns a context and the exchange that the doer records for it.
func withExchange(ctx context.Context) (context.Context, *exchange) {
	e := new(exchange)
	return context.WithValue(ctx, exchangeKey{}, e), e
}

// doer is the HTTP client below the library. It reads each reply to its end, within
// a bound, for two reasons: the connection can be reused (the library stops reading
// at the end of the JSON value, which costs a connection per call when replies are
// chunked), and a reply that is not a completion can be recognised.
type doer struct {
	http   http.Client
	params []byte // JSON members that precede those of the library
	limit  int64  // of a successful reply, in bytes
}

// newDoer returns a doer. If it creates its transport, that keeps a connection for
// every call in flight; the standard one keeps two per host.
func newDoer(cfg Config, transport http.RoundTripper) *doer {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns = 0 // bounded by MaxIdleConnsPerHost
		t.MaxIdleConnsPerHost = cfg.Concurrency
		t.IdleConnTimeout = 90 * time.Second
		transport = t
	}
	d := &doer{limit: replyLimit(cfg), http: http.Client{
		Transport: transport,
		// A redirect would carry the key and the content to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if cfg.Temperature != nil && capabilityOf(cfg.Model).temperature {
		d.params = append([]byte(`{"temperature":`), strconv.AppendFloat(nil, float64(*cfg.Temperature), 'g', -1, 32)...)
		d.params = append(d.params, ',')
	}
	return d
}

// Do sends the request and returns a response whose body is in memory.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	if err := d.addParams(req); err != nil {
		return nil, err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func(body io.Closer) { _ = body.Close() }(resp.Body)
	e := req.Context().Value(exchangeKey{}).(*exchange) // the client always sets it
	e.status, e.header = resp.StatusCode, resp.Header
	if e.body, err = d.read(resp); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(e.body))
	return resp, nil
}

// read reads a body within its bound. It ignores failures to read the body of an
// error: the status is enough.
func (d *doer) read(resp *http.Response) ([]byte, error) {
	success := resp.StatusCode >= 200 && resp.StatusCode <= 299
	limit := int64(maxError)
	if success {
		limit = d.limit
		if resp.ContentLength > limit {
			return nil, errReplyTooLarge
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err == nil && int64(len(body)) == limit {
		// A connection is reused only if its reply was read to the end.
		var rest int64
		if rest, err = io.CopyN(io.Discard, resp.Body, maxDrain); success && rest > 0 {
			return nil, errReplyTooLarge
		}
	}
	if err == nil || errors.Is(err, io.EOF) || !success {
		return body, nil
	}
	return nil, err
}

// addParams writes the parameters that the library cannot send into the body: the
// library leaves out a temperature of zero, and then the server's default of 1
// applies.
func (d *doer) addParams(req *http.Request) error {
	if len(d.params) == 0 || req.Body == nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	rest, ok := bytes.CutPrefix(body, []byte("{"))
	if !ok {
		return errors.New("request is not a JSON object")
	}
	patched := append(bytes.Clone(d.params), rest...)
	req.ContentLength = int64(len(patched))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(patched)), nil }
	req.Body, _ = req.GetBody()
	return nil
}
