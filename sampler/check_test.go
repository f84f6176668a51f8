package sampler_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

// checkedRates are the rates of the simulations, one evaluator each.
var checkedRates = []float64{0.001, 0.05, 0.1, 0.5}

// checked returns a sampler with the rates.
func checked(t *testing.T) *sampler.Sampler {
	t.Helper()
	var evs []sampler.Evaluator
	for i, rate := range checkedRates {
		evs = append(evs, sampler.Evaluator{Name: fmt.Sprint("e", i), Rate: &rate})
	}
	return newSampler(t, sampler.DefaultConfig(), evs)
}

// stream makes the trace ids of one event after the other.
type stream func() event.TraceID

// decide decides about n events of a stream.
func decide(s *sampler.Sampler, n int, next stream) {
	env := event.Envelope{Kind: event.KindRequestCompleted}
	for range n {
		env.Trace = next()
		s.Decide(&env)
	}
}

func randomID(r *rand.Rand) event.TraceID { return event.TraceID{Hi: r.Uint64(), Lo: r.Uint64()} }

// traces are so many open traces at a time with random ids, of as many events as size
// returns.
func traces(r *rand.Rand, open int, size func() int) stream {
	ids, left := make([]event.TraceID, open), make([]int, open)
	return func() event.TraceID {
		i := r.IntN(open)
		if left[i] == 0 {
			ids[i], left[i] = randomID(r), size()
		}
		left[i]--
		return ids[i]
	}
}

// again delivers a share of the events of a stream twice, n events later.
func again(r *rand.Rand, n int, share float64, next stream) stream {
	var queue []event.TraceID
	return func() event.TraceID {
		if len(queue) > n {
			id := queue[0]
			queue = queue[1:]
			return id
		}
		id := next()
		if r.Float64() < share {
			queue = append(queue, id)
		}
		return id
	}
}

// hosts are n hosts whose ids have a lower half of their own, as UUIDv1 has: a clock
// sequence and the address of the host's network card.
func hosts(r *rand.Rand, n int) stream {
	nodes := make([]uint64, n)
	for i := range nodes {
		nodes[i] = 0x8000<<48 | r.Uint64()>>2
	}
	clock := r.Uint64()
	return func() event.TraceID {
		clock += r.Uint64N(1e5)
		return event.TraceID{Hi: clock, Lo: nodes[r.IntN(n)]}
	}
}

// TestCheckIsQuiet: streams with random ids whose traces have up to 200 events raise no
// alarm, in any order of the events and when events are delivered again.
func TestCheckIsQuiet(t *testing.T) {
	t.Parallel()
	const seeds, looks, events = 4, 30, 3_000
	for name, make := range map[string]func(r *rand.Rand) stream{
		"single events":      func(r *rand.Rand) stream { return func() event.TraceID { return randomID(r) } },
		"one after another":  func(r *rand.Rand) stream { return traces(r, 1, func() int { return 1 + r.IntN(200) }) },
		"ten at once":        func(r *rand.Rand) stream { return traces(r, 10, func() int { return 1 + r.IntN(200) }) },
		"a thousand at once": func(r *rand.Rand) stream { return traces(r, 1000, func() int { return 1 + r.IntN(200) }) },
		"all of 200":         func(r *rand.Rand) stream { return traces(r, 10, func() int { return 200 }) },
		"few long ones":      func(r *rand.Rand) stream { return traces(r, 10, func() int { return 1 + 199*r.IntN(2)*r.IntN(2) }) },
		"delivered again": func(r *rand.Rand) stream {
			return again(r, 5_000, 0.3, traces(r, 10, func() int { return 1 + r.IntN(200) }))
		},
		"all delivered again": func(r *rand.Rand) stream {
			return again(r, 1_000, 1, traces(r, 10, func() int { return 1 + r.IntN(200) }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alarms := 0
			for seed := range uint64(seeds) {
				s, check := checked(t), new(sampler.Check)
				next := make(rand.New(rand.NewPCG(11, seed)))
				for range looks {
					decide(s, events, next)
					alarms += len(check.Look(s))
				}
			}
			if checks := seeds * looks * len(checkedRates); alarms*1000 > checks {
				t.Errorf("%d alarms in %d checks, want at most one in a thousand", alarms, checks)
			}
		})
	}
}

// TestCheckFindsFewIDs: few hosts with a constant lower half are found right after the
// first 10,000 events, whatever the rate, and the skew ends when ids are random.
func TestCheckFindsFewIDs(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 5, 8, 30} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				r := rand.New(rand.NewPCG(uint64(n), seed))
				s, check := checked(t), new(sampler.Check)
				bad := hosts(r, n)
				decide(s, 9_990, bad)
				if got := check.Look(s); got != nil {
					t.Fatalf("an alarm before 10,000 events: %+v", got)
				}
				more := 100
				if n > 8 { // more events for more hosts
					more = 25_000
				}
				decide(s, more, bad)
				got := check.Look(s)
				if len(got) != len(checkedRates) {
					t.Fatalf("%d alarms after %d events, want one for each of the rates %v: %+v", len(got), 9_990+more, checkedRates, got)
				}
				for i, skew := range got {
					if skew.Rate != checkedRates[i] || skew.Rule != "evaluator" || skew.Cause != sampler.CauseFewIDs || skew.Distinct > n || skew.Looked < 39 || skew.Events < 10_000 {
						t.Errorf("skew %+v of %d hosts", skew, n)
					}
				}
			}
		})
	}
}

// TestCheckNamesTheCauseAtOnce: a share that is wrong because ids are few is told with that
// cause at every look, from the first one on.
func TestCheckNamesTheCauseAtOnce(t *testing.T) {
	t.Parallel()
	s, check := checked(t), new(sampler.Check)
	one := hosts(rand.New(rand.NewPCG(51, 1)), 1)
	alarms := 0
	for range 12 {
		decide(s, 2_000, one)
		for _, skew := range check.Look(s) {
			alarms++
			if skew.Cause != sampler.CauseFewIDs || skew.Distinct != 1 || skew.Events < 10_000 {
				t.Errorf("skew %+v of one host", skew)
			}
		}
	}
	if alarms == 0 {
		t.Error("no alarm for one host")
	}
}

// TestCheckEnds: a skew ends once ids are random, is not taken for over before, and is
// found again when they are not.
func TestCheckEnds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(21, 1))
	s, check := newSampler(t, sampler.DefaultConfig(), []sampler.Evaluator{{Name: "e", Rate: new(0.1)}}), new(sampler.Check)
	var changes []int
	last := 0
	run := func(n int, next stream) {
		for range n / 5_000 {
			decide(s, 5_000, next)
			if got := len(check.Look(s)); (got > 0) != (last > 0) {
				changes = append(changes, got)
				last = got
			}
		}
	}
	bad := hosts(r, 3)
	run(100_000, bad)
	if len(changes) != 1 {
		t.Errorf("numbers of alarms %v over a stream of three hosts, want one change, to an alarm", changes)
	}
	run(300_000, func() event.TraceID { return randomID(r) })
	if len(changes) < 2 || last != 0 {
		t.Errorf("numbers of alarms %v, want none once ids are random", changes)
	}
	run(50_000, bad)
	if last == 0 {
		t.Error("no alarm when ids are no longer random")
	}
}

// TestCheckFindsChosenEvents: events that another sampler with the same salt has chosen
// have ids enough and another share; those of one with its own salt are fine.
func TestCheckFindsChosenEvents(t *testing.T) {
	t.Parallel()
	for salt, want := range map[string]string{"evalworker": sampler.CauseChosenBefore, "another": ""} {
		r := rand.New(rand.NewPCG(31, 1))
		before := newSampler(t, sampler.Config{Salt: salt}, []sampler.Evaluator{{Name: "publisher", Rate: new(0.3)}})
		chosen := func() event.TraceID {
			for {
				env := event.Envelope{Kind: event.KindRequestCompleted, Trace: randomID(r)}
				if len(before.Decide(&env).Picks) > 0 {
					return env.Trace
				}
			}
		}
		s, check := newSampler(t, sampler.DefaultConfig(), []sampler.Evaluator{{Name: "e", Rate: new(0.1)}}), new(sampler.Check)
		decide(s, 30_000, chosen)
		cause := ""
		for _, skew := range check.Look(s) {
			cause = skew.Cause
			if skew.Share < 0.3 || skew.Share > 0.37 || skew.Distinct != skew.Looked {
				t.Errorf("skew %+v, want a third kept and no id twice", skew)
			}
		}
		if cause != want {
			t.Errorf("salt %s: cause %q, want %q", salt, cause, want)
		}
	}
}

// TestCheckOverRevisions: a rate that a new policy has too is compared over both, one
// that changed starts again.
func TestCheckOverRevisions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(41, 1))
	bad := hosts(r, 1)
	revision := func(b float64) *sampler.Sampler {
		return newSampler(t, sampler.DefaultConfig(), []sampler.Evaluator{{Name: "a", Rate: new(0.1)}, {Name: "b", Rate: &b}})
	}
	names := func(skews []sampler.Skew) (out string) {
		for _, s := range skews {
			out += s.Evaluator
		}
		return out
	}
	var check sampler.Check
	first := revision(0.1)
	decide(first, 20_000, bad)
	if got := names(check.Look(first)); got != "ab" {
		t.Fatalf("skewed: %q, want both", got)
	}
	second := revision(0.2)
	if got := names(check.Look(second)); got != "a" {
		t.Errorf("skewed after the rate of b changed: %q, want a", got)
	}
	decide(second, 9_000, bad)
	if got := names(check.Look(second)); got != "a" {
		t.Errorf("skewed: %q, want a, because b has 9,000 events", got)
	}
	decide(second, 2_000, bad)
	if got := names(check.Look(second)); got != "ab" {
		t.Errorf("skewed: %q, want both", got)
	}
}

// TestSharesCountOnce: an event is counted once, whether headers skip it, headers or the
// body decide, and feedback and events without a rate are not.
func TestSharesCountOnce(t *testing.T) {
	t.Parallel()
	cfg := sampler.DefaultConfig()
	cfg.Rules = []sampler.Rule{
		{Name: "search", When: `feature == "search"`, Rate: 0.5},
		{Name: "all", When: `status == "error"`, Rate: 1},
	}
	s := newSampler(t, cfg, []sampler.Evaluator{{Name: "format"}, {Name: "judge", Judge: true}, {Name: "prod", Judge: true, When: `environment == "prod"`}})
	skipped, kept := 0, map[string]int64{}
	const events = 3_000
	for i := range events {
		e := event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint("r", i)), Feature: "search", Environment: "dev"}
		switch {
		case i%10 == 0:
			e.Kind = event.KindUserFeedback
		case i%10 == 1:
			e.Status = "error"
		case i%10 == 2:
			e.Environment = "prod"
		case i%10 > 5:
			e.Feature = fmt.Sprint("f", i) // more than the table keeps
		}
		hs := e.Headers()
		if i%2 == 0 {
			hs = nil // an application that sends no headers
		}
		if _, ok := s.Skip(hs); ok {
			skipped++
			continue
		}
		plan, ok := s.DecideHeaders(hs)
		if !ok {
			env := e.Envelope()
			plan = s.Decide(&env)
		}
		for _, p := range plan.Picks {
			kept[p.Name+" by "+p.Rule]++
		}
	}
	want := map[string]int64{ // of ten events, how many are subject to the rate
		"format by search": 4, "judge by search": 4, "judge by default": 4, "prod by search": 1, "prod by default": 0,
	}
	got := s.Shares()
	if len(got) != len(want) {
		t.Errorf("%d rates, want %d: %+v", len(got), len(want), got)
	}
	for _, share := range got {
		name := share.Evaluator + " by " + share.Rule
		if share.Seen != want[name]*events/10 || share.Kept != kept[name] {
			t.Errorf("%s: %d of %d kept, want %d of %d", name, share.Kept, share.Seen, kept[name], want[name]*events/10)
		}
	}
	if skipped == 0 || kept["judge by search"] == 0 {
		t.Errorf("%d events skipped by their headers, %v kept; want some of both", skipped, kept)
	}
}
