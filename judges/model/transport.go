package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"syscall"
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

// errCutOff marks a reply whose connection ended in the middle.
var errCutOff = errors.New("the reply was cut off")

// replyLimit returns the bound of a successful reply, in bytes. It depends on
// max_tokens because each call in flight holds a reply in memory: under a bound
// that fits any model's longest answer, a broken server could fill gigabytes. Any
// model may turn out to think.
func replyLimit(cfg Config) int64 {
	return replyFrame + tokenBytes*int64(cfg.MaxTokens+thinkingTokens)
}

// exchange is one HTTP exchange as seen below the library, which drops most of it.
type exchange struct {
	began  time.Time
	status int // 0: no answer
	header http.Header
	body   []byte // bounded; of an error inside a success, that error

	members []byte // JSON members of the request that the library cannot send
	reply   *reply // nil: no completion
}

// age returns the time since the call began, as people write it.
func (e *exchange) age() string {
	const exact = 100 * time.Millisecond
	return time.Since(e.began).Round(exact).String()
}

type exchangeKey struct{}

// withExchange returns a context and the exchange that the doer records for it.
func withExchange(ctx context.Context) (context.Context, *exchange) {
	e := &exchange{began: time.Now()}
	return context.WithValue(ctx, exchangeKey{}, e), e
}

// doer is the HTTP client below the library. It reads each reply to its end, within
// a bound, for two reasons: the connection can be reused (the library stops reading
// at the end of the JSON value, which costs a connection per call when replies are
// chunked), and a reply that is not a completion can be recognised.
type doer struct {
	http  http.Client
	limit int64 // of a successful reply, in bytes

	scarceUntil atomic.Int64 // in nanoseconds since 1970; see noteScarcity
}

// scarceFor is for how long connections are not kept after descriptors ran out.
const scarceFor = time.Minute

// noteScarcity stops keeping connections for a while after a call failed because no
// descriptor was free. An idle connection holds a descriptor that the worker needs to
// commit at Kafka; without commits it takes no events and makes no calls.
func (d *doer) noteScarcity(err error) {
	if fault, ok := machineFault(err); ok && (fault == syscall.EMFILE || fault == syscall.ENFILE) {
		d.scarceUntil.Store(time.Now().Add(scarceFor).UnixNano())
	}
	if d.scarce() {
		d.http.CloseIdleConnections()
	}
}

// scarce reports whether descriptors ran out lately.
func (d *doer) scarce() bool {
	until := d.scarceUntil.Load()
	return until > 0 && time.Now().UnixNano() < until
}

// newDoer returns a doer. If it creates its transport, that keeps a connection for
// every call in flight; the standard one keeps two per host.
func newDoer(cfg Config, transport http.RoundTripper) *doer {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns = 0 // bounded by MaxIdleConnsPerHost
		t.MaxIdleConnsPerHost = cfg.Concurrency
		t.IdleConnTimeout = 90 * time.Second
		t.DialContext = newDialer(cfg.ConnectTimeout).DialContext
		t.TLSHandshakeTimeout = cfg.ConnectTimeout
		transport = t
	}
	d := &doer{limit: replyLimit(cfg), http: http.Client{
		Transport: transport,
		// A redirect would carry the key and the content to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return d
}

// Do sends the request and returns a response whose body is in memory. Of a success
// it reads the completion itself and leaves an empty object to the library.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	e := req.Context().Value(exchangeKey{}).(*exchange) // the client always sets it
	if err := addMembers(req, e.members); err != nil {
		return nil, err
	}
	req.Close = d.scarce()
	resp, err := d.http.Do(req)
	defer func() { d.noteScarcity(err) }()
	if err != nil {
		return nil, err
	}
	defer func(body io.Closer) { _ = body.Close() }(resp.Body)
	e.status, e.header = resp.StatusCode, resp.Header
	if e.body, err = d.read(resp); err != nil {
		return nil, err
	}
	rest := e.body
	if succeeded(resp.StatusCode) {
		if e.reply, e.body, err = readReply(e.body); err != nil {
			return nil, err
		}
		rest = []byte("{}")
	}
	resp.Body = io.NopCloser(bytes.NewReader(rest))
	return resp, nil
}

func succeeded(status int) bool { return status >= 200 && status <= 299 }

// read reads a body within its bound. It ignores failures to read the body of an
// error: the status is enough.
func (d *doer) read(resp *http.Response) ([]byte, error) {
	success := succeeded(resp.StatusCode)
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
	return nil, errors.Join(errCutOff, err)
}

// addMembers adds members to the JSON object of a request. The library cannot send
// them: it leaves out a temperature of zero, and then the server's default of 1
// applies, and it refuses parameters by the model's name, which tells nothing about a
// server of one's own.
func addMembers(req *http.Request, members []byte) error {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	object, ok := bytes.CutSuffix(bytes.TrimSpace(body), []byte("}"))
	if !ok {
		return errors.New("request is not a JSON object")
	}
	patched := slices.Concat(object, members, []byte("}"))
	req.ContentLength = int64(len(patched))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(patched)), nil }
	req.Body, _ = req.GetBody()
	return nil
}
