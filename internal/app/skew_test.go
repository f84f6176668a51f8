package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// TestSkewedSample: ids with a constant lower half are on /statusz, in the log and in a
// metric, with their cause and the mend.
func TestSkewedSample(t *testing.T) {
	w := newWorld(t, passing).withTelemetry()
	policy := strings.Replace(rulePolicy, "type: contains", "type: contains, rate: 0.1", 1) + "  - {name: brief, type: length, max_chars: 100, rate: 0.05}\n"
	k := w.start(w.load(w.configure(policy)))
	const n = 10_500
	events := numbered("event", n, "an answer")
	for i := range events {
		events[i].TraceID = event.ID(fmt.Sprintf("%016x00000000000000aa", i+1)) // which a rate of 10 % leaves out
	}
	w.emit(t.Context(), events...)
	k.consumed(n)
	k.halt() // it looks for the last time
	got := k.Status()
	if got.Events.SampledOut != n {
		t.Errorf("%d of %d events are sampled out, want all", got.Events.SampledOut, n)
	}
	if len(got.Policy.Skewed) != 2 {
		t.Fatalf("skewed: %+v, want both rates", got.Policy.Skewed)
	}
	s := got.Policy.Skewed[0]
	if s.Evaluator != "no_wrong" {
		s = got.Policy.Skewed[1]
	}
	if s.Evaluator != "no_wrong" || s.Rule != "evaluator" || s.Rate != 0.1 || s.Share != 0 || s.Events != n || s.Distinct != 1 || s.Cause != "few_ids" ||
		!strings.Contains(s.Problem, "low 64 bits") || !strings.Contains(s.Mend, "random 128-bit trace ids") {
		t.Errorf("skew %+v", s)
	}
	if log := w.log.text(); strings.Count(log, "the sample cannot be trusted") != 1 || !strings.Contains(log, `"share":0,"events":10500`) || !strings.Contains(log, ` by evaluator: rate 0.`) {
		t.Errorf("the log does not say it once, with the numbers and both evaluators")
	}
	eventually(t, "evalworker.sampler_skewed is 2", func() bool {
		values := w.statsd.Values("evalworker.sampler_skewed")
		return len(values) > 0 && values[len(values)-1] == 2
	})
}
