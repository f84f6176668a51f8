package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// maxSessions bounds the open sessions; beyond it the oldest ends without a further
// request.
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

// input is the conversation so far, as sent to the model.
func (s *session) input() event.Content {
	b, err := json.Marshal(s.turns)
	if err != nil { // plain strings always marshal
		return event.Content{}
	}
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
