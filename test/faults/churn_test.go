package faults

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

var churnFlag = flag.Duration("faults.churn", 0, "how long TestChurn runs, at least two cycles of 45s")

// The load and the pace of a run with churn.
const (
	churnRate  = 200             // events a second
	churnPace  = 2 * time.Second // a new version of the prompt comes as often
	churnCycle = 45 * time.Second
	// quietFrom is where in a cycle all troubles are over, and the connections of the
	// rebalance, which stay for half a minute, are closed.
	quietFrom = 40 * time.Second
	quietFor  = 5 * time.Second

	churnInFlight   = 32
	firstPartitions = 8
	lastPartitions  = 29
)

// churnWorkers are the workers, which run from the beginning to the end.
var churnWorkers = []string{"A", "B"}

// churn is a run of two workers and a sidecar under load while all around them changes.
type churn struct {
	*world
	lasts time.Duration
	judge *server
	trace *server
	sink  *statsSink
	pub   *publisher
	watch *watch
	table []measure

	partitions       int
	applied, refused int          // reloads
	restarts         int          // of the store
	judgeDown        []outage     // when the judge was away
	began            time.Time    // of the first cycle
	quiet            atomic.Int32 // the number of the cycle, from 1, that is in its quiet part; 0: none is
}

// outage is a time in which something was away.
type outage struct{ from, to time.Time }

// overlaps reports whether an outage touches a time.
func (o outage) overlaps(from, to time.Time) bool { return o.from.Before(to) && from.Before(o.to) }

// TestChurn runs the soak with churn and prints its table. It needs a flag, because
// it takes minutes.
func TestChurn(t *testing.T) {
	if *churnFlag == 0 {
		t.Skip("takes minutes: run make soak-churn, or give -faults.churn")
	}
	containers.NeedEngine(t)
	if *churnFlag < 2*churnCycle {
		t.Fatalf("-faults.churn=%v: want at least %v, two cycles", *churnFlag, 2*churnCycle)
	}
	w := newWorld(t, newSuite(t), scenario{name: "churn", title: "churn"})
	c := newChurn(w, *churnFlag)
	defer func() {
		table := c.heading() + renderMeasures(c.table)
		t.Log("\n" + table)
		if *outFlag != "" && len(c.table) > 0 {
			if err := writeChurn(*outFlag, table); err != nil {
				t.Error(err)
			}
		}
	}()
	c.begin()
	c.run()
	c.end()
}

// newChurn configures the world.
func newChurn(w *world, lasts time.Duration) *churn {
	c := &churn{world: w, lasts: lasts, partitions: firstPartitions}
	w.model.script(judged)
	c.judge = newServer(w, w.model.handler())
	w.model.url = c.judge.url()
	c.trace = newServer(w, discardTraces())
	c.sink = newStatsSink(w)
	w.onPostgres()
	// New partitions are found soon, so that the rebalance is over when a cycle ends.
	w.kafkaConfig(churnInFlight, "partition_watch: 2s")
	w.config["judges"] = `{when_down: wait, max_wait: 10m}`
	w.config["datadog"] = fmt.Sprintf(`{agent_url: %q, dogstatsd_url: "unix://%s", max_tag_values: %d}`, c.trace.url(), c.sink.path, maxVersions(lasts))
	w.config["health"] = `{listen: "127.0.0.1:0", pprof: true}`
	w.config["evaluators"] = evaluators(0)
	c.pub = newPublisher(w)
	c.watch = newWatch(c)
	return c
}

// maxVersions returns how many values a tag may have: the default, or a few less than a
// short run has versions.
func maxVersions(lasts time.Duration) int {
	versions := int(lasts / churnPace)
	return min(200, versions-versions/15)
}

// evaluators returns the section of the nth revision of the configuration. All of them
// give the same verdicts.
func evaluators(n int) string {
	return fmt.Sprintf(`[{name: helpfulness, type: llm_judge, rubric: helpfulness, rate: 1}, {name: length, type: length, max_chars: %d}]`, 10_000+n)
}

// judged fails one event in twenty and passes the others.
func judged(q question) modelserver.Reply {
	if fails(q.id) {
		return failing(q)
	}
	return withLatency(evenLatency)(q)
}

// begin starts workers, sidecar, load and watch.
func (c *churn) begin() {
	c.t.Helper()
	c.world.begin(firstPartitions, churnWorkers...)
	c.pub.sidecar = c.sidecar().addr()
	c.began = time.Now()
	c.pub.start()
	c.watch.start()
}

// step is something that happens at a time of a cycle.
type step struct {
	at time.Duration
	do func()
}

// steps returns what happens in a cycle, in order. Each cycle has an outage of the judge
// and a growth of the topic, which falls into that outage every other time; the others
// have a restart of the store or an outage of the agent in turns.
func (c *churn) steps(cycle, cycles int) []step {
	even := cycle%2 == 0
	grow := func() { c.grow(firstPartitions + (lastPartitions-firstPartitions)*(cycle+1)/cycles) }
	only := func(when bool, do func()) func() {
		if when {
			return do
		}
		return func() {}
	}
	return []step{
		{1 * time.Second, only(even, grow)},
		{2 * time.Second, c.reloadInvalid},
		{4 * time.Second, c.judgeLeaves},
		{6 * time.Second, only(!even, grow)},
		{8 * time.Second, c.reload}, // which ends the wait of events for the judge, and they wait again
		{10 * time.Second, c.judgeReturns},
		{14 * time.Second, only(!even, c.agentLeaves)},
		{20 * time.Second, only(!even, c.agentReturns)},
		{21 * time.Second, only(even, c.storeLeaves)},
		{23 * time.Second, c.reloadInvalid},
		{25 * time.Second, only(even, c.storeReturns)},
		{32 * time.Second, c.reload},
		{quietFrom, func() { c.rest(cycle) }},
	}
}

// run runs all cycles, and returns when everything has been published. On a machine that
// is slow a cycle takes longer.
func (c *churn) run() {
	c.t.Helper()
	cycles := c.cycles()
	for cycle := range cycles {
		start := time.Now()
		for _, s := range c.steps(cycle, cycles) {
			c.until(start.Add(s.at))
			s.do()
		}
	}
	c.must(c.pub.stop())
}

// cycles returns how many cycles the run has.
func (c *churn) cycles() int { return int(c.lasts / churnCycle) }

// rest waits until what was held up is done, and leaves the workers alone for a while.
func (c *churn) rest(cycle int) {
	c.t.Helper()
	c.eventually("what was held up is done", func() bool {
		for _, name := range churnWorkers {
			s, ok := c.workers[name].status()
			if !ok || !s.Consumer.Joined || s.Consumer.InFlight == churnInFlight || s.Consumer.Unfinished() > churnRate {
				return false
			}
		}
		return true
	})
	c.quiet.Store(int32(cycle) + 1) //nolint:gosec // a few cycles
	c.until(time.Now().Add(quietFor))
	c.quiet.Store(0)
}

// until waits for a time of the plan. A worker that ends, or a publisher that fails,
// ends the run.
func (c *churn) until(at time.Time) {
	c.t.Helper()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.pub.failed:
		c.must(c.pub.stop())
	case <-c.workers["A"].ended:
		c.endedEarly("A")
	case <-c.workers["B"].ended:
		c.endedEarly("B")
	}
}

func (c *churn) endedEarly(worker string) {
	c.t.Helper()
	c.must(errors.Join(fmt.Errorf("worker %s ended in the middle", worker), c.workers[worker].err))
}

// reload writes a valid configuration that changes an evaluator, and waits until both
// workers use it.
func (c *churn) reload() {
	c.t.Helper()
	c.applied++
	c.config["evaluators"] = evaluators(c.applied)
	c.rewrite()
}

// reloadInvalid writes a configuration with a fault, and waits until both workers have
// refused it.
func (c *churn) reloadInvalid() {
	c.t.Helper()
	c.refused++
	valid := c.config["evaluators"]
	c.config["evaluators"] = fmt.Sprintf(`[{name: helpfulness, type: llm_judge, rubric: no_such_rubric_%d}]`, c.refused)
	c.rewrite()
	c.config["evaluators"] = valid
}

// rewrite replaces the file of each worker, as a deployment does.
func (c *churn) rewrite() {
	c.t.Helper()
	for _, name := range churnWorkers {
		dir := filepath.Dir(c.workers[name].log)
		next := filepath.Join(dir, "next.yaml")
		c.must(os.WriteFile(next, []byte(c.configuration(name, dir)), 0o600))
		c.must(os.Rename(next, filepath.Join(dir, "evalworker.yaml")))
	}
	c.eventually("both workers have looked at the new configuration", func() bool {
		for _, name := range churnWorkers {
			s, ok := c.workers[name].status()
			if r := s.Policy.Reloads; !ok || r.Applied < c.applied || r.Refused < c.refused {
				return false
			}
		}
		return true
	})
}

// grow adds partitions. Workers find them, and share them in a rebalance.
func (c *churn) grow(partitions int) {
	c.t.Helper()
	if partitions == c.partitions {
		return
	}
	res, err := c.client.CreatePartitions(c.t.Context(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: c.topic, Count: int32(partitions)}}, //nolint:gosec // at most 29
	})
	if err == nil {
		err = res.Errors[c.topic]
	}
	c.must(err)
	c.partitions = partitions
}

// storeLeaves kills the database server.
func (c *churn) storeLeaves() {
	c.t.Helper()
	c.must(c.suite.postgres.Kill(c.t.Context()))
}

func (c *churn) storeReturns() {
	c.t.Helper()
	c.must(c.suite.postgres.Start(c.t.Context()))
	c.restarts++
}

func (c *churn) judgeLeaves() {
	c.judgeDown = append(c.judgeDown, outage{from: time.Now()})
	c.judge.down()
}

func (c *churn) judgeReturns() {
	c.t.Helper()
	c.judge.up()
	c.judgeDown[len(c.judgeDown)-1].to = time.Now()
}

func (c *churn) agentLeaves() {
	c.trace.down()
	c.sink.down()
}

func (c *churn) agentReturns() {
	c.t.Helper()
	c.trace.up()
	c.sink.up()
}
