package sampler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

// get returns the named dimension.
func get(d *event.Dims, name string) string {
	dim, _ := event.DimNamed(name)
	return d[dim]
}

// conditions are paired with their meaning in Go.
var conditions = []struct {
	text string
	mean func(d *event.Dims) bool
}{
	{"", func(*event.Dims) bool { return true }},
	{`user_rating == "down" || status == "error"`, func(d *event.Dims) bool { return get(d, "user_rating") == "down" || get(d, "status") == "error" }},
	{`feature in ["search", "support agent"]`, func(d *event.Dims) bool { return get(d, "feature") == "search" || get(d, "feature") == "support agent" }},
	{`len(model) > 8 and provider != ""`, func(d *event.Dims) bool { return len([]rune(get(d, "model"))) > 8 && get(d, "provider") != "" }},
	{`lower(prompt_name) startsWith "tri"`, func(d *event.Dims) bool { return strings.HasPrefix(strings.ToLower(get(d, "prompt_name")), "tri") }},
	{`prompt_version matches "[.]3$"`, func(d *event.Dims) bool { return strings.HasSuffix(get(d, "prompt_version"), ".3") }},
	{`!(environment == "prod") && tenant_tier != "free"`, func(d *event.Dims) bool { return get(d, "environment") != "prod" && get(d, "tenant_tier") != "free" }},
	{`finish_reason == "length" || output_schema == ""`, func(d *event.Dims) bool { return get(d, "finish_reason") == "length" || get(d, "output_schema") == "" }},
}

// randomEvent returns an event with any form of id, and with fields absent, usual,
// odd or too long for the table.
func randomEvent(r *rand.Rand) *event.Event {
	one := func(values ...string) string { return values[r.IntN(len(values))] }
	odd := one("", "ü", "a\x00b", strings.Repeat("long", 80))
	e := &event.Event{
		Kind: event.KindRequestCompleted, RequestID: event.RequestID(one("req_", "", strings.Repeat("r", 130)) + strconv.Itoa(r.IntN(1e6))),
		Environment: one("", "prod", "dev"), Feature: one("", "search", "support agent", odd),
		PromptName: one("", "Triage", "trivia", "reply"), PromptVersion: one("", "1.2", "1.3", odd), Provider: one("", "openai", "local"),
		Model: one("", "gpt-5", "claude-sonnet-4"), Status: one("", "success", "error"), FinishReason: one("", "stop", "length"),
		TenantTier: one("", "free", "gold"), UserRating: event.Rating(one("", "up", "down", "Down", " 4.0", "4")), OutputSchema: one("", "reply"),
	}
	if r.IntN(20) == 0 {
		e.Kind = event.KindUserFeedback
	}
	hi, lo := r.Uint64(), r.Uint64()
	ctx := event.TraceContext{}
	if r.IntN(2) == 0 {
		ctx[one("traceparent", "Traceparent")] = one(
			fmt.Sprintf("00-%016x%016x-%016x-01", hi, lo, lo^hi), fmt.Sprintf("00-%016X%016X-%016X-00", hi, lo, lo^hi),
			fmt.Sprintf("01-%016x%016x-%016x-01-more", hi, lo, lo^hi), fmt.Sprintf("00-%032x-%016x-01", 0, lo),
			fmt.Sprintf("00-%016x%016x-%016x-01", hi, 0, lo), "broken",
		)
	}
	if r.IntN(2) == 0 {
		ctx[one("x-datadog-trace-id", "X-Datadog-Trace-Id")] = one(strconv.FormatUint(lo, 10), strconv.FormatUint(lo>>1, 10), "0", "-1", "99999999999999999999")
		ctx["x-datadog-parent-id"] = strconv.FormatUint(hi, 10)
	}
	if r.IntN(4) == 0 {
		ctx[one("b3", "B3")] = one(fmt.Sprintf("%016x%016x-%016x-1", hi, lo, hi), fmt.Sprintf("%016x-%016x", lo, hi), "0", "b3")
	}
	if r.IntN(4) == 0 {
		ctx[one("x-b3-traceid", "X-B3-TraceId")] = one(fmt.Sprintf("%016x", lo), "1234567890123456", fmt.Sprintf("%032x", lo>>1))
	}
	if r.IntN(2) == 0 {
		ctx["tracestate"] = one("dd=s:1,ot=th:8", "ot=th:fd70a4;rv:fe000000000000", "ot=th:fd70a4;rv:fd70a3ffffffff", "ot=th:zz", "x=y")
	}
	if len(ctx) > 0 {
		e.TraceContext = ctx
	}
	if r.IntN(2) == 0 {
		e.TraceID = event.ID(one(strconv.FormatUint(lo, 10), fmt.Sprintf("%016x%016x", hi, lo), fmt.Sprintf("%016x", lo), fmt.Sprintf("%#x", lo),
			fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(hi>>32), uint16(hi>>16), uint16(hi), uint16(lo>>48), lo&(1<<48-1)), "1234567890123456", "0", "trace-7", "12"))
	}
	return e
}

// model computes an evaluator's rate as the package comment describes it, with none
// of the package's code.
type model struct {
	cfg  sampler.Config
	evs  []sampler.Evaluator
	when map[string]func(*event.Dims) bool
}

func (m *model) rate(i int, d *event.Dims) (float64, string) {
	e := m.evs[i]
	if !m.when[e.When](d) {
		return 0, ""
	}
	rate, name := -1.0, ""
	for _, r := range m.cfg.Rules {
		if m.when[r.When](d) && (len(r.Evaluators) == 0 || slices.Contains(r.Evaluators, e.Name)) && r.Rate > rate {
			rate, name = r.Rate, r.Name
		}
	}
	switch {
	case rate >= 0:
		return rate, name
	case e.Rate != nil:
		return *e.Rate, "evaluator"
	case e.Judge:
		return m.cfg.DefaultRate, "default"
	}
	return 1, "default"
}

// TestDecideAgrees: headers, body, a replica and the model of a random policy agree
// on the plan of random events, from several goroutines at once.
func TestDecideAgrees(t *testing.T) {
	t.Parallel()
	when := map[string]func(*event.Dims) bool{}
	for _, c := range conditions {
		when[c.text] = c.mean
	}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(7, seed))
			someRate := func() float64 { return []float64{0, 1, 0.5, r.Float64(), 0.01}[r.IntN(5)] }
			someWhen := func() string { return conditions[r.IntN(len(conditions))].text }
			m := model{cfg: sampler.Config{DefaultRate: someRate(), Salt: fmt.Sprint(seed)}, when: when}
			for i := range 1 + r.IntN(5) {
				e := sampler.Evaluator{Name: fmt.Sprint("e", i), Judge: r.IntN(2) == 0}
				if r.IntN(2) == 0 {
					e.Rate = new(someRate())
				}
				if r.IntN(3) == 0 {
					e.When = someWhen()
				}
				m.evs = append(m.evs, e)
			}
			for i := range r.IntN(6) {
				rule := sampler.Rule{Name: fmt.Sprint("r", i), When: someWhen(), Rate: someRate()}
				if r.IntN(2) == 0 {
					rule.Evaluators = []string{m.evs[r.IntN(len(m.evs))].Name}
				}
				m.cfg.Rules = append(m.cfg.Rules, rule)
			}
			s, replica := newSampler(t, m.cfg, m.evs), newSampler(t, m.cfg, m.evs)
			var wg sync.WaitGroup
			for worker := range uint64(2) {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(seed, worker))
					for range 1500 {
						checkEvent(t, &m, s, replica, randomEvent(r))
					}
				})
			}
			wg.Wait()
		})
	}
}

func checkEvent(t *testing.T, m *model, s, replica *sampler.Sampler, e *event.Event) {
	t.Helper()
	env := e.Envelope()
	plan := s.Decide(&env)
	headers := e.Headers()
	var view event.HeaderView
	view.Read(headers, false)
	byHeaders, ok := s.DecideHeaders(headers)
	if ok != view.Agrees() {
		t.Errorf("decided on headers: %t; they agree: %t: %+v", ok, view.Agrees(), env)
	}
	if d := cmp.Diff(plan, byHeaders); ok && d != "" {
		t.Errorf("body and headers differ (-body +headers) for %+v:\n%s", env, d)
	}
	if d := cmp.Diff(plan, replica.Decide(&env)); d != "" {
		t.Errorf("replicas differ for %+v:\n%s", env, d)
	}
	if e.Kind == event.KindUserFeedback {
		return
	}
	picked := map[int]eval.Pick{}
	for _, p := range plan.Picks {
		picked[p.Evaluator] = p
	}
	largestOut, smallestIn := 0.0, math.Inf(1) // nested: an evaluator that is left out never has the larger rate
	for i := range m.evs {
		rate, rule := m.rate(i, &env.Dims)
		p, in := picked[i]
		switch {
		case in:
			smallestIn = min(smallestIn, rate)
			if p.Rule != rule || p.Name != m.evs[i].Name {
				t.Errorf("pick %+v, want the rule %q", p, rule)
			}
			if up := p.Probability / rate; !slices.ContainsFunc([]float64{1, 0.5, 1 - 0xfd70a4p-24}, func(w float64) bool { return math.Abs(up-w) < 1e-12 }) {
				t.Errorf("pick %+v of rate %g: no tracestate has %g", p, rate, up)
			}
		default:
			largestOut = max(largestOut, rate)
		}
	}
	if largestOut > 0 && largestOut >= smallestIn {
		t.Errorf("an evaluator with rate %g runs, one with %g does not", smallestIn, largestOut)
	}
	if largestOut == 1 {
		t.Error("an evaluator with rate 1 does not run")
	}
}

// TestUnhappyUsers: a condition on the rating holds however the publisher spells it, in
// header or body, and however the condition does.
func TestUnhappyUsers(t *testing.T) {
	t.Parallel()
	for when, ratings := range map[string][]string{
		`user_rating == "down"`:                 {`"down"`, `" DOWN "`, `"thumbs_down"`, `"Dislike"`, `"👎"`, `"-1"`, `-1`, `false`},
		`"Thumbs-Down" == user_rating`:          {`"down"`, `"negative"`},
		`user_rating == "-1"`:                   {`-1`, `"-1"`, `"down"`},
		`user_rating in ["dislike", "1.0"]`:     {`"down"`, `1`, `"1"`, `1.0`},
		`user_rating not in ["up", "4", "5.0"]`: {`"down"`, `"👎"`, `3`, `"4/5"`},
		`user_rating != "thumbs_up"`:            {`"down"`, `4`},
		`user_rating == "4/5"`:                  {`"★★★★☆"`, `"4 / 5"`},
	} {
		s := newSampler(t, sampler.Config{}, []sampler.Evaluator{{Name: "e", When: when}})
		takes := func(rating string) bool {
			e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"r","user_rating":` + rating + `}`))
			if err != nil {
				t.Fatal(err)
			}
			env := e.Envelope()
			inBody := len(s.Decide(&env).Picks) == 1
			own, _ := s.DecideHeaders(e.Headers())
			foreign, ok := s.DecideHeaders([]event.Header{
				{Key: event.HeaderEvent, Value: []byte(event.KindRequestCompleted)},
				{Key: event.HeaderRequestID, Value: []byte("r")},
				{Key: event.HeaderTraceID},
				{Key: "user_rating", Value: []byte(strings.Trim(rating, `"`))},
			})
			if !ok || inBody != (len(own.Picks) == 1) || inBody != (len(foreign.Picks) == 1) {
				t.Errorf("%s, rating %s: body %t, headers of the emitter %t, of another publisher %t", when, rating, inBody, len(own.Picks) == 1, len(foreign.Picks) == 1)
			}
			return inBody
		}
		for _, rating := range ratings {
			if !takes(rating) {
				t.Errorf("%s does not hold for %s", when, rating)
			}
		}
		if takes(`"up"`) {
			t.Errorf("%s holds for up", when)
		}
	}
}

// FuzzDecideHeaders: for any headers, deciding on them equals reading the envelope
// and deciding on that.
func FuzzDecideHeaders(f *testing.F) {
	cfg := sampler.DefaultConfig()
	cfg.Rules = []sampler.Rule{{Name: "r", When: `feature == "x" || len(model) > 3 && user_rating != "down"`, Rate: 0.5}}
	s, err := sampler.New(cfg, []sampler.Evaluator{{Name: "a", Judge: true}, {Name: "b"}})
	if err != nil {
		f.Fatal(err)
	}
	const base = "event=llm_request_completed\nrequest_id=r1\ntrace_id=\n"
	f.Add(base + "feature=x\nmodel=gpt")
	f.Add(base + "user_rating= Down\nmodel=gpt-5")
	f.Add(base + "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate=ot=th:8")
	f.Add(base + "b3=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1\nX-B3-TraceId=8448eb211c80319c\ntraceId=17")
	f.Add(base + "feature=x\nfeature=y\nrequest_id=\nrequest_id=r2\nevent=llm_user_feedback")
	f.Add(base + "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntraceparent=00-1af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01")
	f.Add("event=other\nrequest_id=1\ntrace_id=17\nx-datadog-trace-id=18")
	f.Fuzz(func(t *testing.T, text string) {
		var hs []event.Header
		for line := range strings.SplitSeq(text, "\n") {
			k, v, _ := strings.Cut(line, "=")
			hs = append(hs, event.Header{Key: k, Value: []byte(v)})
		}
		plan, ok := s.DecideHeaders(hs)
		env, found := event.EnvelopeFromHeaders(hs)
		known := env.Kind == event.KindRequestCompleted || env.Kind == event.KindUserFeedback
		var view event.HeaderView
		view.Read(hs, false)
		if ok != (found && known && view.Agrees()) {
			t.Fatalf("decided %t; envelope %t of kind %q, headers agree %t", ok, found, env.Kind, view.Agrees())
		}
		if !ok {
			return
		}
		if d := cmp.Diff(s.Decide(&env), plan); d != "" {
			t.Errorf("(-envelope +headers):\n%s", d)
		}
	})
}

// TestUnwantedAllocatesNothing asserts what the benchmarks show. It cannot run in
// parallel: it counts the process's allocations.
func TestUnwantedAllocatesNothing(t *testing.T) {
	hs := typical().Headers()
	if n := len(hs); n < 12 || n > 16 {
		t.Fatalf("%d headers, want a typical message", n)
	}
	env := typical().Envelope()
	byRequest := env
	byRequest.Trace = event.TraceID{}
	samplers := unwanted(t)
	cfg, evs := tenConditions()
	cfg.Upstream = sampler.UpstreamTraces
	samplers["upstream"] = newSampler(t, cfg, evs)
	env.Tracestate = "dd=s:1;o:rum;t.dm:-4;p:0123456789abcdef, ot=rv:d234567890abcd;th:c"
	hs = append(hs, event.Header{Key: "tracestate", Value: []byte(env.Tracestate)})
	for name, s := range samplers {
		for what, decide := range map[string]func() eval.Plan{
			"headers": func() eval.Plan { p, _ := s.DecideHeaders(hs); return p },
			"body":    func() eval.Plan { return s.Decide(&env) },
			"request": func() eval.Plan { return s.Decide(&byRequest) },
		} {
			if p := decide(); len(p.Picks) != 0 {
				t.Fatalf("%s, %s: wanted", name, what)
			}
			if n := testing.AllocsPerRun(200, func() { decide() }); n != 0 {
				t.Errorf("%s, %s: %g allocations, want none", name, what, n)
			}
		}
	}
}
