package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

func TestWith(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, whole)
	outer := openai.With(t.Context(), func(e *event.Event) {
		e.SessionID, e.Feature, e.UserIDHash = "s1", "a", openai.UserIDHash("anna")
	})
	inner := openai.With(outer, func(e *event.Event) {
		e.Feature, e.TenantID, e.Retrieval = "b", "t1", &event.Retrieval{Query: "parcel", Chunks: []event.Chunk{{ID: "kb_1", Text: "It arrives."}}}
	})
	for _, ctx := range []context.Context{inner, outer, t.Context()} {
		if _, err := client.CreateChatCompletion(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range [][]string{{"s1", "b", "t1", "triage"}, {"s1", "a", "", "triage"}, {"", "support", "", "triage"}} {
		e := (*published)[i]
		if got := []string{e.SessionID, e.Feature, e.TenantID, e.PromptName}; !slices.Equal(got, want) {
			t.Errorf("request %d: %q, want %q", i, got, want)
		}
		if (e.Retrieval != nil) != (i == 0) || (len(e.UserIDHash) == 64) != (i < 2) {
			t.Errorf("request %d: retrieval %v, user %q", i, e.Retrieval, e.UserIDHash)
		}
	}
	if got, want := openai.LastRequestID(inner), (*published)[0].RequestID; got != want {
		t.Errorf("last id of the inner context is %q, want %q", got, want)
	}
	if got, want := openai.LastRequestID(outer), (*published)[1].RequestID; got != want {
		t.Errorf("last id of the outer context is %q, want %q", got, want)
	}
	if got := openai.LastRequestID(t.Context()); got != "" {
		t.Errorf("last id of a context without With is %q", got)
	}
}

// TestUserHashes: requests of one user meet in whatever language they are made.
func TestUserHashes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../clients/testdata/user.json")
	if err != nil {
		t.Fatal(err)
	}
	var table []struct{ User, Key, Hash string }
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	keyed := 0
	for _, c := range table {
		if got := openai.KeyedUserIDHash(c.Key, c.User); got != c.Hash {
			t.Errorf("user %q with key %q: %q, want %q", c.User, c.Key, got, c.Hash)
		}
		if c.Key != "" {
			keyed++
		} else if got := openai.UserIDHash(c.User); got != c.Hash {
			t.Errorf("user %q: %q, want %q", c.User, got, c.Hash)
		}
	}
	if keyed == 0 {
		t.Error("the table has no key")
	}
	if got := openai.KeyedUserIDHash("k1", ""); got != "" {
		t.Errorf("no user has the hash %q", got)
	}
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, whole)
	ctx := openai.With(t.Context(), func(e *event.Event) { e.SessionID, e.Comment = "s1", "Thanks." })
	if _, err := client.CreateChatCompletion(ctx, request); err != nil {
		t.Fatal(err)
	}
	if err := client.Feedback(ctx, openai.LastRequestID(ctx), event.RatingUp); err != nil {
		t.Fatal(err)
	}
	asked, rated := (*published)[0], (*published)[1]
	if rated.RequestID != asked.RequestID || rated.Kind != event.KindUserFeedback || rated.UserRating != event.RatingUp {
		t.Errorf("feedback %+v on %s", rated, asked.RequestID)
	}
	if rated.SessionID != "s1" || rated.Comment != "Thanks." || rated.PromptName != "triage" || !rated.Output.IsZero() {
		t.Errorf("feedback %+v", rated)
	}
}

// broken is an emitter that panics.
type broken struct{}

func (broken) Emit(context.Context, event.Event) error { panic("broken") }

// TestPanicsStayAway: whatever breaks while an event is made or taken, the request goes on.
func TestPanicsStayAway(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, whole, func(*event.Event) { panic("set") })
	ctx := openai.With(t.Context(), func(e *event.Event) {
		e.SessionID = "s1"
		panic("with")
	})
	if answer, err := client.CreateChatCompletion(ctx, request); err != nil || len(answer.Choices) != 1 {
		t.Errorf("%+v, %v", answer, err)
	}
	if e := only(t, published); e.PromptName != "triage" || e.SessionID != "s1" || e.Output.IsZero() {
		t.Errorf("event %+v", e)
	}
	for _, em := range []openai.Emitter{broken{}, nil} {
		client := openai.Wrap(client.Client, em)
		if answer, err := client.CreateChatCompletion(t.Context(), request); err != nil || len(answer.Choices) != 1 {
			t.Errorf("%T: %+v, %v", em, answer, err)
		}
		if err := client.Feedback(t.Context(), "r1", event.RatingUp); (err != nil) != (em != nil) {
			t.Errorf("%T: feedback: %v", em, err)
		}
	}
	client, _ = wrapped(t, 200, asStream(pieces))
	stream, err := openai.Wrap(client.Client, broken{}).CreateChatCompletionStream(t.Context(), request)
	n := 0
	for ; err == nil; n++ {
		_, err = stream.Recv()
	}
	if n != len(pieces)+1 {
		t.Errorf("%d pieces, %v", n-1, err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}

// full is an emitter that has room for nothing and waits until the context ends.
type full struct{ ended chan error }

func (f full) Emit(ctx context.Context, _ event.Event) error {
	<-ctx.Done()
	f.ended <- ctx.Err()
	return ctx.Err()
}

// TestACancelledRequestDoesNotWait: an emitter that blocks holds it up for a moment only.
func TestACancelledRequestDoesNotWait(t *testing.T) {
	t.Parallel()
	client, _ := wrapped(t, 200, whole)
	em := full{make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openai.Wrap(client.Client, em).CreateChatCompletion(ctx, request); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-em.ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the emitter was given a context that ended with %v", err)
	}
}

// TestAForgottenStreamDoesNotWait: it is published between collections of memory, which an
// emitter that blocks must not hold up.
func TestAForgottenStreamDoesNotWait(t *testing.T) {
	t.Parallel()
	client, _ := wrapped(t, 200, asStream(pieces))
	em := full{make(chan error, 1)}
	stream, err := openai.Wrap(client.Client, em).CreateChatCompletionStream(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	library := stream.ChatCompletionStream
	stream = nil //nolint:wastedassign // it is forgotten
	for {
		runtime.GC()
		select {
		case err := <-em.ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the emitter was given a context that ended with %v", err)
			}
			if err := library.Close(); err != nil {
				t.Error(err)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}
