package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// feedbackTime is longer than the delay of a user's feedback plus random variation
// of the time between answers.
const feedbackTime = 10 * time.Minute

// publish sends the messages through the emitter, as applications would. It returns
// counts of those that no worker can read.
func (d *Demo) publish(ctx context.Context) (dead []summary.DeadLetters, err error) {
	cfg := emitter.DefaultConfig()
	cfg.Brokers, cfg.Topic, cfg.Block = []string{d.broker.Addr()}, topic, true
	// The broker is in this process and cannot be lost: what takes long on a busy machine
	// is not sent twice.
	cfg.WriteTimeout, cfg.RetryFor = 5*time.Minute, 10*time.Minute
	em, err := emitter.New(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, em.Flush(ctx))
		now, cancel := context.WithTimeout(ctx, 0) // when ctx has ended, the broker may have as well
		defer cancel()
		err = errors.Join(err, em.Close(now))
	}()
	var pace <-chan time.Time
	if gap := d.cfg.Duration / time.Duration(d.cfg.Events); gap > 0 {
		tick := time.NewTicker(gap)
		defer tick.Stop()
		pace = tick.C
	}
	// All events are in the past, even the feedback on the last answer.
	past := time.Duration(d.cfg.Events)*d.scenario.Interval() + feedbackTime - d.cfg.Duration
	for m, err := range messages(d.scenario, d.cfg.Seed, d.cfg.Events, time.Now().Add(-max(past, time.Minute))) {
		if err != nil {
			return nil, err
		}
		if pace != nil {
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-pace:
			}
		}
		if m.body == nil {
			err = em.Emit(ctx, m.event)
		} else {
			dead = countUnreadable(dead, m.body)
			err = em.Forward(ctx, &m.event, m.body)
		}
		if err != nil {
			return nil, fmt.Errorf("publish event %s: %w", m.event.RequestID, err)
		}
	}
	return dead, nil
}

// countUnreadable counts a body that no worker can read, by the worker's error.
func countUnreadable(dead []summary.DeadLetters, body []byte) []summary.DeadLetters {
	_, err := event.Decode(body)
	if err == nil {
		return dead
	}
	i := slices.IndexFunc(dead, func(l summary.DeadLetters) bool { return l.Error == err.Error() })
	if i < 0 {
		i = len(dead)
		dead = append(dead, summary.DeadLetters{Reason: eval.ReasonOf(err), Error: err.Error()})
	}
	dead[i].Count++
	return dead
}

// message is one message as an application publishes it.
type message struct {
	event event.Event
	// body is the body of an old client's message, or nil. It cannot be read as an
	// event; the headers, which come from event, are valid.
	body []byte
}

// oldClientEvery is the number of messages per message of an old client.
const oldClientEvery = 400

// oldClientStream separates the choice of these messages from other draws with the same
// seed.
const oldClientStream = 0x6f6c64

// messages returns the first n messages of a scenario. The same scenario, seed and
// start yield the same messages.
func messages(s *scenario.Scenario, seed uint64, n int, start time.Time) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		if n <= 0 {
			return
		}
		r := rand.New(rand.NewPCG(seed, oldClientStream))
		i, at, due := 0, 0, 0
		for e := range s.Events(seed, scenario.Options{Start: start}) {
			if i%oldClientEvery == 0 {
				at = i + r.IntN(oldClientEvery)
			}
			if i == at {
				due++
			}
			m, err := message{event: e}, error(nil)
			// The old client logs only answers, so a failed request defers its
			// message to the next one.
			if due > 0 && e.Status == "success" {
				due--
				m.body, err = oldClientBody(&e)
			}
			if i++; !yield(m, err) || i == n {
				return
			}
		}
	}
}

// oldClientBody encodes an event like a client that names the request's id otherwise.
func oldClientBody(e *event.Event) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	fields["id"] = fields["request_id"]
	delete(fields, "request_id")
	return json.Marshal(fields)
}
