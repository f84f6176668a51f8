package scenario

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/event"
)

// Options of a sequence of events. The zero value starts on the morning of the last
// prompt release, without feedback events.
type Options struct {
	// Start is when the first request finished; zero: 1 June 2026, 9:00 UTC. The
	// times of events never decrease, except for feedback.
	Start time.Time
	// Interval is the mean time between two requests (a Poisson process); zero: the
	// scenario's own.
	Interval time.Duration
	// Feedback adds an event with the user's feedback after some requests, with the
	// request's id and trace and a time a few minutes later.
	Feedback bool
}

// Events returns the scenario's events, without end. The same seed and options yield
// the same events.
func (s *Scenario) Events(seed uint64, o Options) iter.Seq[event.Event] {
	if o.Start.IsZero() {
		o.Start = time.Date(2026, time.June, 1, 9, 0, 0, 0, time.UTC)
	}
	if o.Interval <= 0 {
		o.Interval = s.interval
	}
	return func(yield func(event.Event) bool) {
		g := &generator{
			s:        s,
			r:        rand.New(rand.NewPCG(seed, seedStream)),
			now:      o.Start,
			sessions: make([]*session, 0, maxSessions),
		}
		for {
			e, good := g.request()
			if !yield(e) {
				return
			}
			if o.Feedback && chance(g.r, s.world.Rates.Feedback) {
				if !yield(g.feedback(&e, good)) {
					return
				}
			}
			g.now = g.now.Add(time.Duration(g.r.ExpFloat64() * float64(o.Interval)))
		}
	}
}

// seedStream is the second word of the generator's seed, which separates this
// sequence from others with the same seed.
const seedStream = 0x6576616c

// generator is the state of one range over events; one goroutine uses it.
type generator struct {
	s        *Scenario
	r        *rand.Rand
	now      time.Time
	sessions []*session
}

// request draws one finished request and whether its answer was good.
func (g *generator) request() (event.Event, bool) {
	w, r := &g.s.world, g.r
	ses := g.session()
	t := &g.s.tickets[r.IntN(len(g.s.tickets))]
	v, m := g.s.versions.draw(r), g.s.models.draw(r)
	fill := g.slots(ses)
	question := fill.Replace(oneOf(r, t.Questions))
	if chance(r, w.Rates.PersonalData) {
		question += " " + personalData(r, ses.name)
	}
	ses.ask(question)

	e := event.Event{
		Kind: event.KindRequestCompleted, RequestID: event.RequestID("req_" + hex(r.Uint64())),
		OccurredAt: g.now, SessionID: ses.id, TenantID: ses.tenant.ID, TenantTier: ses.tenant.Tier, UserIDHash: ses.user,
		TraceContext: traceContext(r),
		Service:      w.Service, Environment: w.Environment, Version: "3.14.2", Feature: w.Feature,
		PromptName: w.PromptName, PromptVersion: v.Version, PromptEnvironment: "production",
		Provider: m.Provider, Model: m.Model, Status: "success", FinishReason: "stop",
		RetryCount: new(int64(0)), CacheHit: new(chance(r, w.Rates.CacheHit)), Streaming: new(true),
		Input: ses.input(), OutputSchema: w.Schema,
		Retrieval: g.retrieve(t, question),
	}
	if t.tool != nil {
		e.Tools, e.ToolCalls = event.JSON(t.tool.offer), []event.ToolCall{g.call(t.tool, fill)}
	}
	if chance(r, w.Rates.ProviderError) {
		e.Status, e.ErrorType, e.FinishReason = "error", oneOf(r, w.ErrorTypes), ""
		e.RetryCount, e.CacheHit = new(int64(2)), new(false)
		g.measure(&e, m, "")
		g.end(ses)
		return e, false
	}

	kind := v.answers.draw(r)
	rep := g.reply(t, kind, fill)
	text := rep.json()
	if chance(r, v.InvalidJSON) {
		text, e.FinishReason = rep.withDefect(r, v.defects.draw(r))
	}
	e.Output = event.Text(text)
	g.measure(&e, m, text)
	good := kind == "good" && e.FinishReason == "stop"
	g.addRating(&e, good)
	ses.answer(rep.Answer)
	if ses.left == 0 {
		g.end(ses)
	}
	return e, good
}

// addRating adds the user's rating of the answer, if the user gave one.
func (g *generator) addRating(e *event.Event, good bool) {
	rates := &g.s.world.Rates
	if chance(g.r, rates.Rated) {
		e.UserRating = g.rating(good)
	}
	if chance(g.r, rates.TaskReported) {
		e.TaskCompleted = new(good)
	}
}

func (g *generator) rating(good bool) event.Rating {
	down := g.s.world.Rates.BadRatedDown
	if good {
		down = g.s.world.Rates.GoodRatedDown
	}
	if chance(g.r, down) {
		return event.RatingDown
	}
	return event.RatingUp
}

// feedback returns the event with which a user later rates the request e.
func (g *generator) feedback(e *event.Event, good bool) event.Event {
	f := event.Event{
		Kind: event.KindUserFeedback, RequestID: e.RequestID, TraceContext: e.TraceContext,
		OccurredAt: e.OccurredAt.Add(time.Minute + time.Duration(g.r.Int64N(int64(5*time.Minute)))),
		SessionID:  e.SessionID, TenantID: e.TenantID, TenantTier: e.TenantTier,
		Service: e.Service, Environment: e.Environment, Feature: e.Feature,
		PromptName: e.PromptName, PromptVersion: e.PromptVersion, Provider: e.Provider, Model: e.Model,
		UserRating: g.rating(good),
	}
	if f.UserRating == event.RatingDown {
		f.Comment = "That did not help me."
	}
	return f
}

// maxSessions bounds the open sessions; when it is exceeded the oldest ends without
// a further request.
const maxSessions = 32

// session is a customer's conversation with the agent.
type session struct {
	id, user, name string
	tenant         *tenant
	turns          []event.Turn
	left           int // requests that may still come
}

// session returns an open session, or a new one.
func (g *generator) session() *session {
	r := g.r
	if len(g.sessions) > 0 && chance(r, g.s.world.Rates.ContinuedSession) {
		ses := oneOf(r, g.sessions)
		ses.left--
		return ses
	}
	ses := &session{
		id: "ses_" + hex(r.Uint64())[:12], user: hex(r.Uint64()),
		name: oneOf(r, g.s.world.Names), tenant: g.s.tenants.draw(r),
		left: r.IntN(3),
	}
	if ses.left > 0 {
		if len(g.sessions) == maxSessions {
			g.sessions = slices.Delete(g.sessions, 0, 1)
		}
		g.sessions = append(g.sessions, ses)
	}
	return ses
}

func (g *generator) end(ses *session) {
	g.sessions = slices.DeleteFunc(g.sessions, func(o *session) bool { return o == ses })
}

func (s *session) ask(question string) {
	s.turns = append(s.turns, event.Turn{Role: "user", Content: question})
}

func (s *session) answer(answer string) {
	s.turns = append(s.turns, event.Turn{Role: "assistant", Content: answer})
}

// input returns the conversation so far, as sent to the model.
func (s *session) input() event.Content {
	b, _ := json.Marshal(s.turns) // plain strings always marshal
	return event.JSON(b)
}

// slots draws the values for the slots in questions, greetings and tool calls.
func (g *generator) slots(ses *session) *strings.Replacer {
	r := g.r
	day := g.now.AddDate(0, 0, -1-r.IntN(20))
	return strings.NewReplacer(
		"{name}", ses.name,
		"{order}", fmt.Sprintf("B%05d", r.IntN(100000)),
		"{amount}", fmt.Sprintf("%d.%02d", 5+r.IntN(180), 10*r.IntN(10)),
		"{date}", day.Format("2 January"),
	)
}
