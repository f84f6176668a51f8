package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// DeadLetters are the messages that can never be evaluated, by what is wrong
// with them.
type DeadLetters struct {
	Reason eval.Reason `json:"reason"`
	Error  string      `json:"error"`
	Count  int         `json:"count"`
}

// feedbackTime is more than what passes between an answer and what its user says
// of it, and than what chance adds to the time between answers.
const feedbackTime = 10 * time.Minute

// publish sends the messages through the emitter, as applications would. It
// gives those that a worker has to put aside.
func (d *Demo) publish(ctx context.Context) (dead []DeadLetters, err error) {
	cfg := emitter.DefaultConfig()
	cfg.Brokers, cfg.Topic, cfg.Block = []string{d.broker.Addr()}, topic, true
	em, err := emitter.New(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, em.Close(ctx)) }()
	var pace <-chan time.Time
	if gap := d.cfg.Duration / time.Duration(d.cfg.Events); gap > 0 {
		tick := time.NewTicker(gap)
		defer tick.Stop()
		pace = tick.C
	}
	// What is published has happened, the feedback on the last answer too.
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

// note counts a body that no worker can read, by what a worker says of it.
func countUnreadable(dead []DeadLetters, body []byte) []DeadLetters {
	_, err := event.Decode(body)
	if err == nil {
		return dead
	}
	i := slices.IndexFunc(dead, func(l DeadLetters) bool { return l.Error == err.Error() })
	if i < 0 {
		i = len(dead)
		dead = append(dead, DeadLetters{Reason: eval.ReasonOf(err), Error: err.Error()})
	}
	dead[i].Count++
	return dead
}
