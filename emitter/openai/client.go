package openai

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/event"
)

// Emitter takes events; *emitter.Emitter is one. The context is that of the request, for
// its trace; when the request's has ended, it is one that ends in a moment.
type Emitter interface {
	Emit(ctx context.Context, e event.Event) error
}

// Client is a client of go-openai whose chat completions are published. It is safe for
// concurrent use, as the library's is.
type Client struct {
	*openai.Client
	emitter Emitter
	set     []func(*event.Event)
}

// Wrap returns a client that publishes each chat completion. What set writes into an event
// holds for all requests of the client, such as Feature, PromptName and PromptVersion;
// without another one, the Provider is "openai".
func Wrap(c *openai.Client, em Emitter, set ...func(*event.Event)) *Client {
	return &Client{c, em, set}
}

// CreateChatCompletion is the library's method, published.
func (c *Client) CreateChatCompletion(ctx context.Context, request openai.ChatCompletionRequest) (openai.ChatCompletionResponse, error) {
	ctx, call := c.begin(ctx, &request)
	answer, err := c.Client.CreateChatCompletion(ctx, request)
	if err == nil {
		call.answer(answer)
	}
	call.end(err)
	return answer, err
}

// CreateChatCompletionStream is the library's method, published when the stream ends.
func (c *Client) CreateChatCompletionStream(ctx context.Context, request openai.ChatCompletionRequest) (*Stream, error) {
	ctx, call := c.begin(ctx, &request)
	call.event.Streaming = pointer(true)
	stream, err := c.Client.CreateChatCompletionStream(ctx, request)
	if err != nil {
		call.end(err)
		return nil, err
	}
	return newStream(stream, call), nil
}

// Feedback publishes what a user thought of an answer: up, down, or a number with
// UserRatingMax. The id is that of [LastRequestID]. Fields of the client and of the context
// are in its event, a comment for example:
//
//	ctx = openai.With(ctx, func(e *event.Event) { e.Comment = words })
//
// The error is the emitter's.
func (c *Client) Feedback(ctx context.Context, id event.RequestID, rating event.Rating) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("publish feedback on %s: panic: %T", id, p)
		}
	}()
	if c.emitter == nil {
		return nil
	}
	e := event.Event{}
	c.fill(ctx, &e)
	e.Kind, e.RequestID, e.UserRating = event.KindUserFeedback, id, rating
	return c.emitter.Emit(ctx, e)
}

// fill writes the fields of the client and of the context into an event.
func (c *Client) fill(ctx context.Context, e *event.Event) {
	e.Provider = "openai"
	for _, set := range c.set {
		apply(set, e)
	}
	scopeOf(ctx).apply(e)
}

// apply runs a function of the application. What it had written before a panic stays.
func apply(set func(*event.Event), e *event.Event) {
	defer survive()
	set(e)
}

// survive ends a panic of what is done for publishing: a request goes on without its event.
// It must be deferred itself.
func survive() { _ = recover() }

// scope is what one call of With adds to a context.
type scope struct {
	outer *scope
	set   func(*event.Event)
	last  atomic.Pointer[event.RequestID] // of the requests inside
}

type scopeKey struct{}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

func (s *scope) apply(e *event.Event) {
	if s != nil {
		s.outer.apply(e)
		apply(s.set, e)
	}
}

// begun notes a request in all scopes that it is inside of.
func (s *scope) begun(id event.RequestID) {
	for ; s != nil; s = s.outer {
		s.last.Store(&id)
	}
}

// With returns a context whose requests have what set writes into their events: session,
// user, tenant, what was retrieved, another prompt. Nested ones add up, and the inner one
// counts. A RequestID that it sets must be unique. set may be called by several requests at
// once, each with its own event.
func With(ctx context.Context, set func(*event.Event)) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{outer: scopeOf(ctx), set: set})
}

// LastRequestID returns the id of the last request that was begun with this context of
// [With], or with one made from it; [Client.Feedback] needs it. It is empty when there was
// none, and for a context without With.
func LastRequestID(ctx context.Context) event.RequestID {
	s := scopeOf(ctx)
	if s == nil {
		return ""
	}
	if id := s.last.Load(); id != nil {
		return *id
	}
	return ""
}

// UserIDHash returns a user's id for the field UserIDHash: its SHA-256 in hexadecimal
// digits; nothing for an empty id, which is that of no user. Ids that can be guessed, such
// as numbers, can be found from it: use [KeyedUserIDHash] for them.
func UserIDHash(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// KeyedUserIDHash returns a user's id for the field UserIDHash as HMAC-SHA-256 in hexadecimal
// digits, from which nobody without the key finds an id by trying; without a key it is
// [UserIDHash]. The clients for other languages make the same hash with the key in
// EVALWORKER_USER_KEY. A user has another hash with another key.
func KeyedUserIDHash(key, id string) string {
	if key == "" || id == "" {
		return UserIDHash(id)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil))
}

// errorType returns a short class of an error, without its text, which may hold content.
func errorType(err error) string {
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	var api *openai.APIError
	if errors.As(err, &api) {
		if code, ok := api.Code.(string); ok && code != "" {
			return code
		}
		if api.Type != "" {
			return api.Type
		}
		return fmt.Sprintf("http_%d", api.HTTPStatusCode)
	}
	var request *openai.RequestError
	if errors.As(err, &request) && request.HTTPStatusCode != 0 {
		return fmt.Sprintf("http_%d", request.HTTPStatusCode)
	}
	return "connection"
}

// content returns v as the library sends it. What it cannot write it does not send either,
// and its error is the request's.
func content(v any) event.Content {
	b, err := json.Marshal(v)
	if err != nil {
		return event.Content{}
	}
	return event.JSON(b)
}

func pointer[T any](v T) *T { return &v }
