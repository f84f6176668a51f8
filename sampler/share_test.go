package sampler_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

// kept counts how many of n traces each evaluator gets.
func kept(s *sampler.Sampler, ids func(i uint64) (event.TraceID, bool)) (n float64, counts map[string]float64) {
	counts = map[string]float64{}
	env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "same for all"}
	for i := range uint64(100_000) {
		id, ok := ids(i)
		if !ok {
			continue
		}
		env.Trace = id
		n++
		for _, p := range s.Decide(&env).Picks {
			counts[p.Name]++
		}
	}
	return n, counts
}

// TestShare: the kept share is the rate, within four standard deviations of the
// binomial distribution, also for traces that a tracer already chose by the
// bits of their id or by a multiplicative hash of them.
func TestShare(t *testing.T) {
	t.Parallel()
	rates := map[string]float64{"never": 0, "per mille": 0.001, "one": 0.01, "five": 0.05, "third": 1.0 / 3, "most": 0.9, "always": 1}
	var evs []sampler.Evaluator
	for name, rate := range rates {
		evs = append(evs, sampler.Evaluator{Name: name, Judge: true, Rate: &rate})
	}
	s := newSampler(t, sampler.DefaultConfig(), evs)
	r := rand.New(rand.NewPCG(3, 4))
	random := func() event.TraceID { return event.TraceID{Hi: r.Uint64(), Lo: r.Uint64()} }
	for name, ids := range map[string]func(uint64) (event.TraceID, bool){
		"sequential": func(i uint64) (event.TraceID, bool) { return event.TraceID{Lo: i + 1}, true },
		"random":     func(uint64) (event.TraceID, bool) { return random(), true },
		"chosen by a threshold on the id": func(uint64) (event.TraceID, bool) {
			id := random()
			return id, id.Lo&(1<<56-1) >= (1<<56)/10*9
		},
		"chosen by a multiplicative hash": func(uint64) (event.TraceID, bool) {
			id := random()
			return id, id.Lo*1111111111111111111 < math.MaxUint64/10
		},
		"chosen by reversed bits": func(uint64) (event.TraceID, bool) {
			id := random()
			return id, bits.Reverse64(id.Lo) < math.MaxUint64/10
		},
	} {
		n, counts := kept(s, ids)
		if n < 7_500 {
			t.Fatalf("%s: only %g traces", name, n)
		}
		for e, rate := range rates {
			if bound := 4 * math.Sqrt(n*rate*(1-rate)); math.Abs(counts[e]-n*rate) > bound {
				t.Errorf("%s: %q keeps %g of %g, want %g within %.0f", name, e, counts[e], n, n*rate, bound)
			}
		}
	}
}

// TestNested: a larger rate keeps everything that a smaller one keeps.
func TestNested(t *testing.T) {
	t.Parallel()
	s := newSampler(t, sampler.DefaultConfig(), []sampler.Evaluator{{Name: "dear", Rate: new(0.01)}, {Name: "cheap", Rate: new(0.10)}})
	env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r"}
	var dear, cheap int
	for i := range uint64(100_000) {
		env.Trace.Lo = i + 1
		plan := s.Decide(&env)
		names := picks(plan)
		_, isDear := names["dear by evaluator"]
		_, isCheap := names["cheap by evaluator"]
		if isDear && !isCheap {
			t.Fatalf("trace %d is in the sample of 1 %% and not in that of 10 %%", i+1)
		}
		if isDear {
			dear++
		}
		if isCheap {
			cheap++
		}
	}
	if dear == 0 || cheap <= dear {
		t.Errorf("%d and %d kept", dear, cheap)
	}
}

// TestIdentity: a trace's 64-bit and 128-bit forms are one identity, the request
// id counts only without a trace, and a salt makes another sample.
func TestIdentity(t *testing.T) {
	t.Parallel()
	half := []sampler.Evaluator{{Name: "e", Rate: new(0.5)}}
	s := newSampler(t, sampler.Config{Salt: "a"}, half)
	other := newSampler(t, sampler.Config{Salt: "b"}, half)
	in := func(s *sampler.Sampler, request event.RequestID, trace event.TraceID) bool {
		return len(s.Decide(&event.Envelope{Kind: event.KindRequestCompleted, RequestID: request, Trace: trace}).Picks) == 1
	}
	r := rand.New(rand.NewPCG(5, 6))
	const n = 10_000
	var agree, byRequest, noLow int
	for range n {
		lo, request := r.Uint64()|1, event.RequestID(event.SpanID(r.Uint64()).String())
		long, short := event.TraceID{Hi: r.Uint64(), Lo: lo}, event.TraceID{Lo: lo}
		if in(s, request, long) != in(s, "other", short) {
			t.Fatal("the forms of one trace id are decided differently")
		}
		if in(s, request, short) == in(other, request, short) {
			agree++
		}
		if in(s, request, event.TraceID{}) {
			byRequest++
		}
		// An id without lower bits would put all such traces in one bucket.
		if in(s, request, event.TraceID{Hi: 7}) {
			noLow++
		}
	}
	for name, count := range map[string]int{"two salts agree": agree, "chosen by request id": byRequest, "chosen without lower bits": noLow} {
		if math.Abs(float64(count)-n/2) > 4*math.Sqrt(n)/2 {
			t.Errorf("%s: %d of %d, want about half", name, count, n)
		}
	}
}

// TestDroppedTraces: tracers write their threshold on the traces that they drop, too.
// Where all requests are published, it does not change what an event stands for.
func TestDroppedTraces(t *testing.T) {
	t.Parallel()
	s := newSampler(t, sampler.DefaultConfig(), []sampler.Evaluator{{Name: "format"}})
	r := rand.New(rand.NewPCG(7, 8))
	const n, kept = 1000, "ot=th:e6666666666666" // 10 %
	weight := 0.0
	for range n {
		env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r", Trace: event.TraceID{Lo: r.Uint64()}, Tracestate: "dd=s:0;t.dm:-1," + kept}
		weight += 1 / s.Decide(&env).Picks[0].Probability
	}
	if weight != n {
		t.Errorf("%d events weigh %g", n, weight)
	}
}
