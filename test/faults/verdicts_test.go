package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// verdict is the result of one event at one judge, as the worker reported it.
type verdict struct {
	outcome eval.Outcome
	reason  eval.Reason // of an error
}

// reportTo makes workers report to the test's own agent, from which verdicts are
// then counted: where a model fails, its answers do not show them.
func (w *world) reportTo() *datadog.StatsDSink {
	w.t.Helper()
	w.agent = datadog.Agent(w.t)
	sink := datadog.StatsDUnix(w.t)
	w.config["datadog"] = fmt.Sprintf(`{agent_url: %q, dogstatsd_url: %q}`, w.agent.URL, sink.Address)
	return sink
}

// verdicts returns all that were reported, by event.
func (w *world) verdicts() map[string][]verdict {
	out := map[string][]verdict{}
	for _, s := range w.agent.Named("eval.score") {
		v := verdict{reason: eval.Reason(s.Meta["error.type"])}
		if err := v.outcome.UnmarshalText([]byte(s.Meta["eval.outcome"])); err != nil {
			w.t.Errorf("span of %s: %v", s.Meta["request_id"], err)
		}
		id := s.Meta["request_id"]
		out[id] = append(out[id], v)
	}
	return out
}

// became counts how some events ended: passes and failures by their outcome,
// errors by their reason.
func (w *world) became(ids []string) map[string]int {
	all := w.verdicts()
	out := map[string]int{}
	for _, id := range ids {
		for _, v := range all[id] {
			if v.outcome == eval.OutcomeError {
				out[string(v.reason)]++
				continue
			}
			out[v.outcome.String()]++
		}
	}
	return out
}

// sound returns the ids published from the nth on that are not broken.
func (w *world) sound(from int) []string {
	return slices.DeleteFunc(slices.Clone(w.ledger.published[from:]), func(id string) bool { return w.ledger.broken[id] })
}

// tally prints counts in the order of their names.
func tally(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(parts, ", ")
}

// balanced is the bound of every row in which a worker survives: once every event
// has ended, /statusz counts as consumed the sum of the outcomes, which is all that
// the topic holds.
func (w *world) balanced(worker string) {
	w.t.Helper()
	w.readTopic()
	messages := 0
	for id, n := range w.ledger.copies {
		if id != "" { // a control record has none
			messages += n
		}
	}
	w.eventually("/statusz of worker "+worker+" is settled", func() bool {
		s, ok := w.workers[worker].status()
		return ok && s.Events.Settled() && s.Events.Consumed == int64(messages)
	})
}
