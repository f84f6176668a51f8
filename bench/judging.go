package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

const (
	judgeSlots   = 256
	judgeLatency = 500 * time.Millisecond
	judgeSeconds = 20
	// judgeWarm is not counted: slots fill while the first events are fetched.
	judgeWarm = 3 * time.Second
)

// judging keeps all slots of a model busy and measures what they complete a
// second, as a share of what that many slots could at the model's latency.
func judging(ctx context.Context, w *world, _ options) error {
	topic, err := w.topic(ctx, partitions)
	if err != nil {
		return err
	}
	n := judgeSlots * int(time.Second/judgeLatency) * judgeSeconds
	if err := w.publish(ctx, topic, n, 0, nil); err != nil {
		return err
	}
	calls := &callTimes{}
	url, err := w.serve(ctx, modelserver.New(func(req modelserver.Request) modelserver.Reply {
		calls.add()
		return passAll(req, judgeLatency)
	}))
	if err != nil {
		return err
	}
	path, err := w.configure("judges", topic, fmt.Sprintf(", max_in_flight: %d", 2*judgeSlots), fmt.Sprintf(
		"models: {default: {model: gpt-6-luna, base_url: %s/v1, api_key: none, concurrency: %d, requests_per_minute: 0}}\n"+
			"evaluators: [{name: correctness, type: llm_judge, rubric: answer_relevance, rate: 1}]", url, judgeSlots))
	if err != nil {
		return err
	}
	f, err := runProcess(ctx, roleWorker, job{Config: path, Topic: topic, Events: int64(n)})
	if err != nil {
		return err
	}
	busy := calls.busy(judgeWarm, judgeLatency, judgeSlots)
	fmt.Fprintf(w.out, "\njudges: %d calls, %d slots, a model that takes %v\n", n, judgeSlots, judgeLatency)
	fmt.Fprintf(w.out, "slots %.1f %% busy, %.0f calls a second; CPU %v a judged event; peak RSS %.0f MB\n",
		100*busy, busy*judgeSlots/judgeLatency.Seconds(), f.cpuPerEvent().Round(time.Microsecond), float64(f.PeakRSS)/1e6)
	return nil
}

// passAll returns a judge's answer that all criteria pass, after a delay.
func passAll(req modelserver.Request, after time.Duration) modelserver.Reply {
	verdicts := make([]modelserver.Verdict, len(req.Criteria))
	for i, c := range req.Criteria {
		verdicts[i] = modelserver.Verdict{ID: c, Evidence: "left the depot", Reason: "it says so", Verdict: "pass"}
	}
	r := modelserver.Answer(verdicts)
	r.Delay = after
	return r
}

// callTimes are the times at which the model was called.
type callTimes struct {
	mu sync.Mutex
	at []time.Time
}

func (c *callTimes) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Now())
}

// busy returns the share of the slots that held a call, between warm after the
// first call and the beginning of the last, after which slots empty.
func (c *callTimes) busy(warm, each time.Duration, slots int) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.at) == 0 {
		return 0
	}
	from, to := c.at[0].Add(warm), c.at[len(c.at)-1]
	var sum time.Duration
	for _, at := range c.at {
		begin, end := at, at.Add(each)
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		sum += max(end.Sub(begin), 0)
	}
	return sum.Seconds() / (to.Sub(from).Seconds() * float64(slots))
}
