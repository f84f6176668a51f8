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
	k := w.start(w.load(w.configure(strings.Replace(rulePolicy, "type: contains", "type: contains, rate: 0.1", 1))))
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
	if len(got.Policy.Skewed) != 1 {
		t.Fatalf("skewed: %+v, want one rate", got.Policy.Skewed)
	}
	s := got.Policy.Skewed[0]
	if s.Evaluator != "no_wrong" || s.Rule != "evaluator" || s.Rate != 0.1 || s.Share != 0 || s.Events != n || s.Distinct != 1 || s.Cause != "few_ids" ||
		!strings.Contains(s.Problem, "low 64 bits") || !strings.Contains(s.Mend, "random 128-bit trace ids") {
		t.Errorf("skew %+v", s)
	}
	if log := w.log.text(); strings.Count(log, "the sample cannot be trusted") != 1 || !strings.Contains(log, `"evaluator":"no_wrong","rule":"evaluator","rate":0.1,"share":0,"events":10500`) {
		t.Errorf("the log does not say it once, with the numbers")
	}
	eventually(t, "evalworker.sampler_skewed is 1", func() bool {
		values := w.statsd.Values("evalworker.sampler_skewed")
		return len(values) > 0 && values[len(values)-1] == 1
	})
}
