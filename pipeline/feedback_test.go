package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

const rated = `{"event":"llm_request_completed","request_id":"r1","trace_id":"7041","session_id":"s","tenant_id":"acme","environment":"prod","feature":"support","prompt_name":"triage",` +
	`"prompt_version":"3","model":"m","input":"Where is order 17?","output":"Soon.","output_tokens":12,"status":"success"}`

// TestFeedbackFindsItsRequest: feedback that names its request alone has the version,
// question and trace of it, in its report and in its case, and none of its measures.
func TestFeedbackFindsItsRequest(t *testing.T) {
	t.Parallel()
	w := &world{}
	p := newPipeline(t, w, all(), rule("format", pass))
	p.RememberRequests()
	for _, body := range []string{rated, `{"event":"llm_user_feedback","request_id":"r1","user_rating":"down","comment":"no"}`} {
		if err := p.Handle(t.Context(), message(body)); err != nil {
			t.Fatal(err)
		}
	}
	e := w.reports[1].Event
	if trace, _ := e.Origin(); e.PromptName != "triage" || e.PromptVersion != "3" || e.Feature != "support" || e.SessionID != "s" || trace.Lo != 7041 || e.Model != "m" {
		t.Errorf("feedback is about %+v", e)
	}
	if e.Kind != event.KindUserFeedback || e.UserRating != event.RatingDown || e.Comment != "no" || e.OutputTokens != nil || e.Status != "" {
		t.Errorf("feedback became %+v", e)
	}
	if len(w.offers) != 1 || w.offers[0].Input.Text() != "Where is order 17?" || w.offers[0].Output.Text() != "[redacted]" {
		t.Errorf("cases of %+v; want one with the redacted content of the request", w.offers)
	}
	if w.reports[0].Event.Kind != event.KindRequestCompleted || w.reports[0].Event.UserRating != "" {
		t.Error("the feedback changed its request")
	}
}

// TestFeedbackKeepsItsOwn: what feedback says itself counts, and a request with another
// prompt is another request.
func TestFeedbackKeepsItsOwn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		feedback                   string
		version, feature, question string
	}{
		"its own feature":     {`"feature":"chat"`, "3", "chat", "Where is order 17?"},
		"its own question":    {`"input":"And 18?","prompt_name":"triage"`, "3", "support", "And 18?"},
		"another prompt":      {`"prompt_name":"greeting"`, "", "", ""},
		"another version":     {`"prompt_version":"4"`, "4", "", ""},
		"another tenant":      {`"tenant_id":"umbrella"`, "", "", ""},
		"another session":     {`"session_id":"t"`, "", "", ""},
		"another environment": {`"environment":"dev"`, "", "", ""},
		"its tenant":          {`"tenant_id":"acme","session_id":"s","environment":"prod"`, "3", "support", "Where is order 17?"},
		"everything is there": {`"prompt_name":"triage","prompt_version":"3","input":"And 18?"`, "3", "", "And 18?"},
		"another request":     {`"request_id":"r2"`, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			p := newPipeline(t, w, all(), rule("format", pass))
			p.RememberRequests()
			for _, body := range []string{rated, `{"event":"llm_user_feedback","request_id":"r1","user_rating":"down",` + tt.feedback + `}`} {
				if err := p.Handle(t.Context(), message(body)); err != nil {
					t.Fatal(err)
				}
			}
			e := w.reports[1].Event
			if e.PromptVersion != tt.version || e.Feature != tt.feature || e.Input.Text() != tt.question {
				t.Errorf("version %q, feature %q, question %q", e.PromptVersion, e.Feature, e.Input.Text())
			}
			if v := w.reports[1].Verdicts; len(v) != 1 || v[0].Outcome != eval.OutcomeFail {
				t.Errorf("verdicts: %+v", v)
			}
		})
	}
}

// TestRequestsAreRememberedForFeedback: a worker remembers requests from the first
// feedback on that needs one; those too of which no evaluator wants to know, if it had to
// decode them to see that.
func TestRequestsAreRememberedForFeedback(t *testing.T) {
	t.Parallel()
	w := &world{}
	p := newPipeline(t, w, sampler.Config{}, judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) { return pass, nil }))
	handle := func(body string) {
		t.Helper()
		if err := p.Handle(t.Context(), message(body)); err != nil {
			t.Fatal(err)
		}
	}
	const feedback = `{"event":"llm_user_feedback","request_id":"r1","user_rating":"up"}`
	for _, body := range []string{rated, feedback, rated, feedback} {
		handle(body)
	}
	if w.sampledOut != 2 || len(w.reports) != 2 {
		t.Fatalf("%d events sampled out, %d reports", w.sampledOut, len(w.reports))
	}
	if before, after := w.reports[0].Event.PromptVersion, w.reports[1].Event.PromptVersion; before != "" || after != "3" {
		t.Errorf("versions %q and %q; want none for the first feedback, and then 3", before, after)
	}
}

// TestRatingScale: the scale of the policy counts for numbers without one.
func TestRatingScale(t *testing.T) {
	t.Parallel()
	w := &world{}
	p := newPipeline(t, w, all(), rule("format", pass))
	scaled := *p.Policy()
	scaled.RatingScale = eval.RatingScale{Max: new(5.0)}
	for range 2 {
		if err := p.Handle(t.Context(), message(`{"event":"llm_user_feedback","request_id":"r1","user_rating":1}`)); err != nil {
			t.Fatal(err)
		}
		p.Replace(&scaled)
	}
	first, second := w.reports[0].Verdicts[0], w.reports[1].Verdicts[0]
	if first.Outcome != eval.OutcomeCannotJudge || second.Outcome != eval.OutcomeFail || first.Version == second.Version {
		t.Errorf("without a scale %+v, with one %+v", first, second)
	}
	if second.Started.IsZero() || second.Probability != 1 {
		t.Errorf("verdict %+v", second)
	}
}

// TestRequestsWithOneID: feedback does not tell which of several requests with its id it
// means, so it has what they have in common and never the question of another.
func TestRequestsWithOneID(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		second                     string // replaces something in the first
		by                         string
		version, feature, question string
		trace                      uint64
	}{
		"delivered again":  {"", "", "3", "support", "Where is order 17?", 7041},
		"another question": {`Where is order 17?`, `Where is order 18?`, "3", "support", "", 7041},
		"another version":  {`"prompt_version":"3"`, `"prompt_version":"4"`, "", "support", "Where is order 17?", 7041},
		"another tenant":   {`"tenant_id":"acme"`, `"tenant_id":"umbrella"`, "3", "support", "Where is order 17?", 7041},
		"another trace":    {`"trace_id":"7041"`, `"trace_id":"7042"`, "3", "support", "Where is order 17?", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			p := newPipeline(t, w, all(), rule("format", pass))
			p.RememberRequests()
			second := strings.Replace(rated, tt.second, tt.by, 1)
			for _, body := range []string{rated, second, rated, `{"event":"llm_user_feedback","request_id":"r1","user_rating":"down"}`} {
				if err := p.Handle(t.Context(), message(body)); err != nil {
					t.Fatal(err)
				}
			}
			e := w.reports[3].Event
			trace, _ := e.Origin()
			if e.PromptVersion != tt.version || e.Feature != tt.feature || e.Input.Text() != tt.question || trace.Lo != tt.trace || e.Model != "m" {
				t.Errorf("version %q, feature %q, question %q, trace %s, model %q", e.PromptVersion, e.Feature, e.Input.Text(), trace, e.Model)
			}
			if tenant := "acme"; name == "another tenant" == (e.TenantID == tenant) {
				t.Errorf("tenant %q", e.TenantID)
			}
		})
	}
}

// TestBodySaysWhatIsRated: a rating is never judged as a request, nor a request counted as
// a rating, when headers name another kind of event than the body.
func TestBodySaysWhatIsRated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ headers, body, want string }{
		{"llm_request_completed", "llm_user_feedback", "user_feedback"},
		{"llm_user_feedback", "llm_request_completed", "format"},
	} {
		w := &world{}
		p := newPipeline(t, w, all(), rule("format", pass))
		m := message(fmt.Sprintf(`{"event":%q,"request_id":"r1","user_rating":"down"}`, tt.body))
		for _, h := range [][2]string{{event.HeaderEvent, tt.headers}, {event.HeaderRequestID, "r1"}, {event.HeaderTraceID, ""}} {
			m.Headers = append(m.Headers, event.Header{Key: h[0], Value: []byte(h[1])})
		}
		if err := p.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if v := w.reports[0].Verdicts; len(v) != 1 || v[0].Eval != tt.want {
			t.Errorf("headers say %s, body says %s: verdicts %+v", tt.headers, tt.body, v)
		}
	}
}
