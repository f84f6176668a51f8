package faults

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// judgeFault is one way in which a model's server fails.
type judgeFault struct {
	name, title string
	ci          bool

	spoil spoiler // nil: connections are cut in the TLS handshake
	// reasons that verdicts may have while every reply is spoilt.
	reasons []eval.Reason
	// retried: after a single spoilt reply another attempt follows, and the event
	// passes; else it ends with one of reasons.
	retried bool
	// breaks: it counts as an outage, which opens the breaker.
	breaks bool
	// answers: the calls succeed, but their answers are not verdicts.
	answers bool
	// pause is what the server asks for with each reply.
	pause time.Duration
	// perEvent is the largest number of questions about one event.
	perEvent int
	// silent: only the timeout of a call ends it.
	silent bool
	// says is a part of what the log has as the cause.
	says string
}

// judgeRows are about the server that judges ask.
func judgeRows() []scenario {
	const attempts = 3 // the default of max_attempts
	down := []eval.Reason{eval.ReasonUnavailable, eval.ReasonBreakerOpen}
	silent := []eval.Reason{eval.ReasonTimeout, eval.ReasonBreakerOpen}
	faults := []judgeFault{
		{name: "judge-429", title: "model answers 429", ci: true, spoil: status(429, nil), reasons: []eval.Reason{eval.ReasonRateLimited}, retried: true, says: "status 429", perEvent: attempts},
		{
			name: "judge-429-after", title: "model answers 429 with Retry-After: 1", spoil: status(429, http.Header{"Retry-After": {"1"}}),
			reasons: []eval.Reason{eval.ReasonRateLimited}, retried: true, pause: time.Second, says: "status 429", perEvent: attempts,
		},
		{name: "judge-500", title: "model answers 500", ci: true, spoil: status(500, nil), reasons: down, retried: true, breaks: true, says: "status 500", perEvent: attempts},
		{name: "judge-hang", title: "model hangs", spoil: hang, reasons: silent, retried: true, breaks: true, says: "no answer within", perEvent: attempts, silent: true},
		{name: "judge-half", title: "model's connection is cut in the reply", spoil: half, reasons: down, retried: true, breaks: true, says: "the reply was cut off", perEvent: attempts},
		{name: "judge-hidden", title: "model answers 200 with an error in it", spoil: body(`{"error":{"message":"upstream failed","type":"server_error","code":"502"}}`), reasons: down, retried: true, breaks: true, says: "code 502", perEvent: attempts},
		{name: "judge-garbage", title: "model answers 200 with garbage", spoil: body("<html>\x00\xff gateway</html>"), reasons: down, retried: true, breaks: true, says: "reply is not a completion", perEvent: attempts},
		// A model that ignores the format is asked once more by the judge, and on a
		// lower rung.
		{name: "judge-prose", title: "model answers in prose", spoil: prose, reasons: []eval.Reason{eval.ReasonUnparsable}, retried: true, answers: true, says: "ignored by the model", perEvent: 4},
		{name: "judge-huge", title: "model's reply has 10 MB", ci: true, spoil: huge, reasons: []eval.Reason{eval.ReasonUnparsable}, says: "reply far above max_tokens", perEvent: 1},
		{name: "judge-tls", title: "model's connection is cut in the TLS handshake", reasons: down, retried: true, breaks: true, says: "no answer: ", perEvent: attempts},
		{name: "judge-cut", title: "model's connection is cut before the reply", spoil: cut, reasons: down, retried: true, breaks: true, says: "the connection was closed", perEvent: attempts},
		{name: "judge-drip", title: "model answers a byte a second", spoil: drip, reasons: silent, retried: true, breaks: true, says: "no answer within", perEvent: attempts, silent: true},
	}
	var rows []scenario
	for _, f := range faults {
		rows = append(rows, scenario{name: f.name, title: f.title, group: groupJudge, ci: f.ci, run: f.row})
	}
	return rows
}

const (
	judgesInFlight = 32
	// breakerPause is how long an open breaker waits for its one call.
	breakerPause = 15 * time.Second
	// maxSaved is how many retries the budget of a model saves up.
	maxSaved = 10
)

// row spoils one reply in twenty, then all, then none.
func (f judgeFault) row(w *world) {
	front := newFront(w, f.spoil == nil)
	sink := w.reportTo()
	w.config["models"] = fmt.Sprintf(`{default: {base_url: "MODEL", api_key: none, requests_per_minute: 0, concurrency: %d, timeout: %s}}`, judgesInFlight, f.timeout())
	w.begin(8, "A")
	a := w.workers["A"]
	a.fault()

	from := len(w.ledger.published)
	f.fault(front, few, func(nth int) bool { return nth%20 == 0 })
	w.publish(100)
	w.settled()
	some := w.became(w.sound(from))
	w.note("a few: %s", tally(some))
	if opened := a.logged("model is down: judges answer with errors without calling it"); opened != nil {
		w.note("the breaker opened, last by a call that ended as %v", opened["reason"])
	}
	f.boundFew(w, some)

	const events = 300
	from = len(w.ledger.published)
	f.fault(front, every, func(int) bool { return true })
	broken := time.Now()
	w.publish(events)
	w.settled()
	lasted, calls := time.Since(broken), front.since(broken)
	all := w.became(w.sound(from))
	w.note("all: %s in %d calls", tally(all), calls)
	w.tells(a, "200", f.says) // it stays ready: others would not get answers either
	f.boundAll(w, all, events, calls, lasted)
	counted := map[string]int{}
	for _, m := range sink.Metrics() {
		if m.Name == "evalworker.judge.errors" {
			counted[m.Tag("reason")]++
		}
	}
	w.bound(f.answers || len(counted) > 0, "no failed call was counted")
	for reason := range counted {
		w.bound(f.expects(eval.Reason(reason)), "calls counted as %s", reason)
	}

	front.spoils(nil, nil)
	front.shakes(nil)
	healed := time.Now()
	w.row.recover = w.passes(healed)
	w.within(w.row.recover, f.backLimit(), "passes again after %.1f s")
	from = len(w.ledger.published)
	w.publish(200)
	w.settled()
	after := w.became(w.sound(from))
	w.bound(after["pass"] == len(w.sound(from)), "%s once all was well", tally(after))

	w.balanced("A")
	w.finish()
	w.nothingRepeated()
	w.bound(front.mostAsked() <= f.perEvent, "%d questions about one event", front.mostAsked())
	for id, n := range w.answers() {
		w.bound(n == 1, "%s was answered %d times", id, n)
	}
}

// timeout returns the timeout of a call. Where calls end otherwise it is long: a
// machine that stands still for a second must not time out all calls in flight,
// which would open the breaker.
func (f judgeFault) timeout() time.Duration {
	if f.silent {
		return time.Second
	}
	return 10 * time.Second
}

// fault makes the front fail, on the questions or on the connections given.
func (f judgeFault) fault(front *front, questions func(string, int) bool, connections func(int) bool) {
	if f.spoil == nil {
		front.shakes(connections)
		return
	}
	front.spoils(f.spoil, questions)
}

// boundFew asserts how events end when one reply in twenty is spoilt.
func (f judgeFault) boundFew(w *world, ends map[string]int) {
	w.t.Helper()
	switch {
	case f.spoil == nil: // chance picks the events, and may pick one twice
		w.bound(ends["pass"] >= 95, "%s, of a few cut handshakes", tally(ends))
	case f.retried:
		w.bound(ends["pass"] == 100, "%s, of a few spoilt replies", tally(ends))
	default:
		w.bound(ends["pass"] < 100 && ends["pass"] >= 80, "%s, of a few spoilt replies", tally(ends))
	}
	f.boundReasons(w, ends)
}

// boundAll asserts how events end when every reply is spoilt, and how many calls
// that may cost.
func (f judgeFault) boundAll(w *world, ends map[string]int, events, calls int, lasted time.Duration) {
	w.t.Helper()
	w.bound(ends["pass"]+ends["fail"] == 0, "%s, of nothing but spoilt replies", tally(ends))
	f.boundReasons(w, ends)
	limit := events + events/10 + maxSaved // the retry budget
	switch {
	case f.answers:
		limit = f.perEvent * events
	case f.breaks: // the breaker opens when half of the last calls have failed, and calls in flight end
		limit = 100 + 2*judgesInFlight
		w.bound(ends[string(eval.ReasonBreakerOpen)] > 0, "the breaker did not open: %s", tally(ends))
	case f.pause > 0:
		limit = min(limit, judgesInFlight*(2+int(lasted/f.pause)))
	}
	w.bound(calls > 0 && calls <= limit, "%d calls for %d events, want at most %d", calls, events, limit)
}

// boundReasons asserts that errors have the right reason.
func (f judgeFault) boundReasons(w *world, ends map[string]int) {
	w.t.Helper()
	for end, n := range ends {
		decided := end == eval.OutcomePass.String() || end == eval.OutcomeFail.String()
		w.bound(decided || f.expects(eval.Reason(end)), "%d ended as %s", n, end)
	}
}

func (f judgeFault) expects(r eval.Reason) bool { return slices.Contains(f.reasons, r) }

// backLimit returns how soon events must pass again.
func (f judgeFault) backLimit() time.Duration {
	if f.breaks {
		return breakerPause + 10*time.Second
	}
	return 10 * time.Second
}

// passes publishes now and then until an event passes, and returns how long after a
// time its question was answered.
func (w *world) passes(since time.Time) time.Duration {
	w.t.Helper()
	from := len(w.ledger.published)
	next := time.NewTicker(500 * time.Millisecond)
	defer next.Stop()
	var first time.Time
	w.eventually("an event passes again", func() bool {
		w.publish(2)
		<-next.C
		passed := w.verdicts()
		for _, c := range w.model.log() {
			if c.begun.Before(since) || c.answered.IsZero() || !slices.Contains(w.ledger.published[from:], c.id) {
				continue
			}
			for _, v := range passed[c.id] {
				if v.outcome == eval.OutcomePass && (first.IsZero() || c.answered.Before(first)) {
					first = c.answered
				}
			}
		}
		return !first.IsZero()
	})
	w.settled()
	return first.Sub(since)
}

// answers counts the complete and valid answers for each event.
func (w *world) answers() map[string]int {
	out := map[string]int{}
	for _, c := range w.model.log() {
		if !c.answered.IsZero() {
			out[c.id]++
		}
	}
	return out
}

// status answers with a status and an error in OpenAI's format.
func status(code int, header http.Header) spoiler {
	return reply(modelserver.Reply{Status: code, Header: header, Content: "not now"})
}

// body answers 200 with a body.
func body(text string) spoiler { return reply(modelserver.Reply{Raw: []byte(text)}) }

// reply answers with a reply.
func reply(r modelserver.Reply) spoiler {
	server := modelserver.New(func(modelserver.Request) modelserver.Reply { return r })
	return func(w http.ResponseWriter, req *http.Request) {
		// The question no longer matters; it was read.
		asked := req.Clone(req.Context())
		asked.URL.Path = "/v1/chat/completions"
		asked.Body = io.NopCloser(strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"anything"}]}`))
		server.ServeHTTP(w, asked)
	}
}

// prose answers without the requested format.
func prose(w http.ResponseWriter, r *http.Request) {
	reply(modelserver.Reply{Content: "I would rather talk about the weather."})(w, r)
}

// hang sends nothing until the worker is gone, which a server sees only after it has
// read the question.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// cut closes the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// half closes the connection in the middle of a reply.
func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "600")
	_, _ = io.WriteString(w, `{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assi`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// drip sends a byte a second.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "600")
	tick := time.NewTicker(time.Second)
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
}

// huge sends 10 MB that begin like a reply.
func huge(w http.ResponseWriter, _ *http.Request) {
	const size = 10 << 20
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"`)
	chunk := []byte(strings.Repeat("lorem ipsum ", 1000))
	for sent := 0; sent < size; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return // the worker is gone
		}
	}
}
