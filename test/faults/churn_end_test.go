package faults

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// end waits until everything is done, stops the workers and asserts what holds.
func (c *churn) end() {
	c.t.Helper()
	c.settled()
	c.eventually("all is committed", func() bool { return c.uncommitted() == 0 })
	c.eventually("both workers are settled and have reported", func() bool {
		for _, name := range churnWorkers {
			s, ok := c.workers[name].status()
			if !ok || !s.Events.Settled() || s.Consumer.InFlight > 0 || s.Telemetry.Queued > 0 {
				return false
			}
		}
		return true
	})
	c.watch.stop()
	reloads := c.reloads()
	failed := c.verdictErrors()
	kept := c.cases(c.workers["A"])
	c.finish() // what the workers had not sent yet they send when they stop
	c.sink.drain()
	c.counts(kept, failed, reloads)
	c.versions()
	c.growth()
	c.logs()
}

// reloads returns how many revisions each worker has applied and refused.
func (c *churn) reloads() map[string][2]int {
	out := map[string][2]int{}
	for _, name := range churnWorkers {
		s, _ := c.workers[name].status()
		out[name] = [2]int{s.Policy.Reloads.Applied, s.Policy.Reloads.Refused}
	}
	return out
}

// verdictErrors returns how many verdicts were errors, and how many calls failed.
func (c *churn) verdictErrors() (n [2]float64) {
	c.t.Helper()
	for _, name := range churnWorkers {
		page, ok := c.watch.metrics(name)
		c.bound(ok, "worker %s: no metrics", name)
		n[0] += page.sum("llm_eval_count_total", "outcome", "error")
		n[1] += page.sum("evalworker_judge_errors_total")
	}
	return n
}

// counts asserts the counts of events, verdicts and failures.
func (c *churn) counts(kept int, failed [2]float64, reloads map[string][2]int) {
	c.t.Helper()
	sound := c.sound(0)
	failing := 0
	for _, id := range sound {
		if fails(id) {
			failing++
		}
	}
	versions := (len(c.ledger.published)-1)/eventsPerVersion + 1
	least := c.cycles() * int(churnCycle.Seconds()) * churnRate * 9 / 10
	c.measured("events published", len(c.ledger.published) >= least, fmt.Sprintf("at least %d", least), "%d, with %d versions", len(c.ledger.published), versions)
	c.measured("evaluated", c.row.evaluated == len(sound), strconv.Itoa(len(sound)), "%d", c.row.evaluated)
	c.measured("dead-lettered", c.row.deadLettered == len(c.ledger.broken), strconv.Itoa(len(c.ledger.broken)), "%d", c.row.deadLettered)
	c.measured("lost", c.row.lost == 0, "0", "%d", c.row.lost)
	moved := c.moved()
	c.measured("evaluated twice", c.row.repeated <= moved*atStakePerPartition, fmt.Sprintf("at most %d: %d partitions moved", moved*atStakePerPartition, moved), "%d", c.row.repeated)
	c.measured("failures in the store", kept == failing, strconv.Itoa(failing), "%d", kept)
	c.measured("verdicts that are errors", failed[0] == 0 && c.sink.errors == 0, "0", "%.0f, of %.0f calls that failed", failed[0], failed[1])
	c.bound(failed[1] > 0 && c.lineCount("store is down") >= c.restarts && len(c.watch.dropped) > 0, "an outage of judge, store or agent that no worker noticed")
	for _, name := range churnWorkers {
		r := reloads[name]
		c.measured("reloads of "+name, r == [2]int{c.applied, c.refused}, fmt.Sprintf("%d applied, %d refused", c.applied, c.refused), "%d applied, %d refused", r[0], r[1])
	}
}

// lineCount returns how many lines of all workers begin with a message.
func (c *churn) lineCount(msg string) (n int) {
	for _, name := range churnWorkers {
		n += c.workers[name].count(msg)
	}
	return n
}

// atStakePerPartition bounds what is evaluated twice when a partition moves, which it does
// only when a broker or a worker stood still for longer than a session lasts: what is in
// flight, and what was finished in the 5 s for which a worker goes on without a commit.
const atStakePerPartition = churnInFlight + 5*churnRate/firstPartitions

// moved returns how many partitions workers had to give away since the first event. On
// others nothing may be evaluated twice.
func (c *churn) moved() int {
	n := 0
	for _, name := range churnWorkers {
		var had []any
		for _, line := range c.workers[name].linesOf("partitions assigned") {
			has, _ := line["partitions"].([]any)
			text, _ := line["time"].(string)
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil && at.After(c.began) {
				n += len(slices.DeleteFunc(had, func(p any) bool { return slices.Contains(has, p) }))
			}
			had = has
		}
	}
	return n
}

// reportedWithin is how soon after the judge's answer an event is in what DogStatsD has
// received. One that fails may have waited for the store.
const reportedWithin = 20 * time.Second

// versions asserts that the newest version had a name, and that each one has as many
// verdicts as it has events.
func (c *churn) versions() {
	c.t.Helper()
	for _, n := range []struct {
		where string
		named
	}{{"/metrics", c.watch.page}, {"DogStatsD", c.watch.stats}} {
		c.measured("newest version named in "+n.where, n.looks > 0 && len(n.missing) == 0, "at every look", "%s", n.named)
	}
	c.bound(len(c.sink.malformed) == 0, "DogStatsD got what is not in its format: %q", c.sink.malformed)
	c.bound(c.watch.silent == 0, "%d times a worker did not answer on /metrics or /statusz", c.watch.silent)

	events := c.perVersion()
	inPage, inStats := exactly{}, exactly{}
	for v := 1; v <= len(events); v++ {
		e := events[v]
		for _, eval := range []string{judgeName, validatorName} {
			key := evaluated{versionName(v), eval}
			sum := 0.0
			for _, name := range churnWorkers {
				sum += c.watch.weighted[name][key]
			}
			inPage.add(key, sum, e)
			if !c.watch.lost(e.first.Add(-time.Second), e.last.Add(reportedWithin)) {
				inStats.add(key, c.sink.weighted[key], e)
			}
		}
	}
	c.measured("verdicts a version in /metrics", inPage.holds(), "exact", "%s", inPage)
	c.measured("verdicts a version in DogStatsD", inStats.holds() && inStats.right >= len(events)/4, "exact while the agent was up", "%s", inStats)
}

// String says how often the newest version was found.
func (n named) String() string {
	text := fmt.Sprintf("%d of %d looks", n.looks-len(n.missing), n.looks)
	if len(n.missing) > 0 {
		text += ", first missing " + n.missing[0]
	}
	return text
}

// published is what became of the events of a version.
type published struct {
	events      int       // evaluated
	again       int       // evaluations beyond the first of each
	first, last time.Time // answers of the judge
}

// perVersion returns the events of each version, by the log of the model.
func (c *churn) perVersion() map[int]published {
	out := map[int]published{}
	seen := map[string]bool{}
	for _, a := range c.model.log() {
		if a.answered.IsZero() {
			continue
		}
		v := versionOf(a.id)
		p := out[v]
		if p.first.IsZero() || a.begun.Before(p.first) {
			p.first = a.begun
		}
		if a.answered.After(p.last) {
			p.last = a.answered
		}
		if seen[a.id] {
			p.again++
		} else {
			p.events++
		}
		seen[a.id] = true
		out[v] = p
	}
	return out
}

// exactly counts the sums that are right.
type exactly struct {
	right, wrong int
	sample       string // the first wrong one
}

// add compares the sum of a version with its events. An answer that came when its
// partition had moved is not reported by the worker that asked.
func (e *exactly) add(key evaluated, sum float64, p published) {
	if n := float64(p.events); sum >= n && sum <= n+float64(p.again) {
		e.right++
		return
	}
	if e.wrong++; e.wrong == 1 {
		e.sample = fmt.Sprintf("%s of %s: %.0f for %d events", key.eval, key.version, sum, p.events)
	}
}

func (e exactly) holds() bool { return e.wrong == 0 && e.right > 0 }

// String says how many sums are right.
func (e exactly) String() string {
	text := fmt.Sprintf("%d of %d sums", e.right, e.right+e.wrong)
	if e.wrong > 0 {
		text += ", first wrong: " + e.sample
	}
	return text
}
