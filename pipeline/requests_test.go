package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

func numbered(n int, output event.Content) *event.Event {
	return &event.Event{
		Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprintf("r%d", n)),
		PromptName: "triage", PromptVersion: "3", Input: output, Output: output,
	}
}

// content returns content of n bytes in input and output together.
func content(n int) event.Content { return event.Text(strings.Repeat("x", n/2-len(`""`))) }

func feedbackOn(n int) *event.Event {
	return &event.Event{Kind: event.KindUserFeedback, RequestID: event.RequestID(fmt.Sprintf("r%d", n)), UserRating: event.RatingDown}
}

// TestRequestsAreBounded: the oldest requests are forgotten, the contents of old ones
// before them, and one request never takes the place of all others.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	var q requests
	q.begin()
	small, large := content(100), content(maxContent)
	for n := range maxRequests + 10 {
		q.add(numbered(n, small))
		if n%1000 == 0 {
			q.add(numbered(n, large)) // the same request again, larger
		}
		if q.content > maxContentBytes || len(q.ring) > maxRequests || len(q.latest) > maxRequests {
			t.Fatalf("%d bytes of content, %d requests in %d places", q.content, len(q.latest), len(q.ring))
		}
	}
	held := 0
	for i := range q.ring {
		held += q.ring[i].size()
	}
	if held != q.content {
		t.Errorf("%d bytes are held; %d are counted", held, q.content)
	}
	for n, want := range map[int]bool{0: false, 9: false, 200: true, maxRequests + 9: true} {
		if got := q.complete(feedbackOn(n)).PromptVersion == "3"; got != want {
			t.Errorf("request %d is remembered: %t; want %t", n, got, want)
		}
	}
	for n := range maxContentBytes / maxContent {
		q.add(numbered(n, large))
	}
	if e := q.complete(feedbackOn(maxRequests + 9)); e.PromptVersion != "3" || !e.Input.IsZero() {
		t.Errorf("an old request has version %q and content %t; want its version without its content", e.PromptVersion, !e.Input.IsZero())
	}
	if e := q.complete(feedbackOn(0)); !e.Output.Equal(large) {
		t.Errorf("the oldest of the requests whose content fits has %d bytes of output", len(e.Output.Raw()))
	}
	q.add(numbered(-1, content(maxContent+2)))
	if e := q.complete(feedbackOn(-1)); e.PromptVersion != "3" || !e.Input.IsZero() {
		t.Errorf("a request with much content has version %q and content %t; want its version alone", e.PromptVersion, !e.Input.IsZero())
	}
	q.add(&event.Event{Kind: event.KindRequestCompleted, RequestID: "r-1", UserRating: event.RatingDown})
	if e := q.complete(feedbackOn(-1)); e.PromptVersion != "3" {
		t.Error("an event that says nothing of its request took the place of the request")
	}
	odd := numbered(-2, small)
	odd.SessionID = strings.Repeat("x", maxNames)
	q.add(odd)
	if e := q.complete(feedbackOn(-2)); e.PromptVersion != "" {
		t.Error("a request with a very long name is remembered")
	}
}

// TestDeployments: requests of one deployment share its names, of which there are a
// bounded number.
func TestDeployments(t *testing.T) {
	t.Parallel()
	var q requests
	q.begin()
	for n := range 3 * maxDeployments {
		e := numbered(n, event.Text("answer"))
		e.PromptVersion = fmt.Sprint(n)
		q.add(e)
		if len(q.deployments) > maxDeployments {
			t.Fatalf("%d sets of names", len(q.deployments))
		}
	}
	for _, n := range []int{0, maxDeployments, 3*maxDeployments - 1} {
		if got := q.complete(feedbackOn(n)).PromptVersion; got != fmt.Sprint(n) {
			t.Errorf("request %d has version %q", n, got)
		}
	}
	first, second := numbered(-1, event.Text("a")), numbered(-2, event.Text("b"))
	q.add(first)
	q.add(second)
	if q.ring[q.latest["r-1"]].deployment != q.ring[q.latest["r-2"]].deployment {
		t.Error("two requests of one deployment do not share its names")
	}
}

// TestMixedContentStaysForgotten: the content of requests that share an id is not known
// again when one of them comes again after the content was forgotten.
func TestMixedContentStaysForgotten(t *testing.T) {
	t.Parallel()
	var q requests
	q.begin()
	q.add(numbered(1, event.Text("a")))
	q.add(numbered(1, event.Text("b")))
	q.add(numbered(2, event.Text("a")))
	for n := range maxContentBytes/maxContent + 1 {
		q.add(numbered(10+n, content(maxContent)))
	}
	q.add(numbered(1, event.Text("b")))
	q.add(numbered(2, event.Text("a")))
	if e := q.complete(feedbackOn(1)); e.PromptVersion != "3" || !e.Input.IsZero() || !e.Output.IsZero() {
		t.Errorf("one of two requests: version %q, input %s", e.PromptVersion, e.Input.Raw())
	}
	if e := q.complete(feedbackOn(2)); e.Input.Text() != "a" {
		t.Errorf("a request that came again has the input %q", e.Input.Text())
	}
}
