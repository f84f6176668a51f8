//go:build go1.26

package emitter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

func TestAnOutageIsOutlasted(t *testing.T) {
	t.Parallel()
	for range 20 { // pauses are drawn
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			e := emitterOn(t, &cluster{answer: func([]record) kafka.Error {
				if time.Since(began) < 2*time.Minute {
					return kafka.NotEnoughReplicas
				}
				return 0
			}}, Config{})
			if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhenAnEventIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg      Config
		min, max time.Duration
		attempts int // zero: as many as there is time for
	}{
		"by default":        {Config{}, 2 * time.Minute, 125 * time.Second, 0},
		"after a time":      {Config{RetryFor: 10 * time.Second}, 10 * time.Second, 15 * time.Second, 0},
		"after attempts":    {Config{MaxAttempts: 100}, 3 * time.Minute, 10 * time.Minute, 100},
		"whichever is less": {Config{MaxAttempts: 3, RetryFor: time.Hour}, 0, time.Second, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts, began := 0, time.Now()
				e := emitterOn(t, &cluster{answer: func([]record) kafka.Error {
					attempts++
					return kafka.NotEnoughReplicas
				}}, c.cfg)
				if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
					t.Fatal(err)
				}
				err := e.Close(t.Context())
				if took := time.Since(began); !errors.Is(err, kafka.NotEnoughReplicas) || took < c.min || took > c.max || c.attempts > 0 && attempts != c.attempts {
					t.Errorf("Close = %v after %v and %d attempts", err, took, attempts)
				}
			})
		})
	}
}

// TestTheFaultIsReportedWhenTimeIsOver: the error says why the cluster accepted
// nothing, not that Close ran out of time.
func TestTheFaultIsReportedWhenTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := emitterOn(t, &cluster{answer: func([]record) kafka.Error { return kafka.NotEnoughReplicas }}, Config{BatchEvents: 10})
		for range 100 { // more than are in flight at once
			if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := e.Close(ctx)
		if unsent, ok := errors.AsType[*UnsentError](err); !ok || unsent.Count != 100 || !errors.Is(err, kafka.NotEnoughReplicas) {
			t.Errorf("Close = %v", err)
		}
	})
}

func TestOneInvalidRecordCostsOnlyItself(t *testing.T) {
	t.Parallel()
	for _, code := range []kafka.Error{kafka.InvalidRecord, kafka.InvalidTimestamp, kafka.MessageSizeTooLarge} {
		e := emitterOn(t, &cluster{answer: func(batch []record) kafka.Error {
			if slices.ContainsFunc(batch, func(r record) bool { return r.key == "bad" }) {
				return code
			}
			return 0
		}}, Config{})
		for i := range 500 {
			id := event.RequestID(fmt.Sprint(i))
			if i == 250 {
				id = "bad"
			}
			if err := e.Emit(t.Context(), event.Event{RequestID: id}); err != nil {
				t.Fatal(err)
			}
		}
		err := e.Close(t.Context())
		unsent, ok := errors.AsType[*UnsentError](err)
		if !ok || unsent.Count != 1 || unsent.RequestIDs[0] != "bad" || !errors.Is(err, code) {
			t.Errorf("%v: Close = %v, want only one event unsent", code, err)
		}
		if s := e.Stats(); s.Sent != 499 {
			t.Errorf("%v: Stats = %+v", code, s)
		}
	}
}

func TestWhichAnswersArePermanent(t *testing.T) {
	t.Parallel()
	for code, want := range map[kafka.Error]bool{
		kafka.BrokerNotAvailable: false, // kafka-go's own, while a broker's address changes
		kafka.Unknown:            false,
		kafka.LeaderNotAvailable: false,
		kafka.InvalidTopic:       true,
		kafka.InvalidRecord:      true,
	} {
		synctest.Test(t, func(t *testing.T) {
			attempts := 0
			e := emitterOn(t, &cluster{answer: func([]record) kafka.Error {
				if attempts++; attempts == 1 {
					return code
				}
				return 0
			}}, Config{})
			if err := e.Emit(t.Context(), event.Event{RequestID: "a"}); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(t.Context()); (err != nil) != want {
				t.Errorf("%v: Close = %v after %d attempts", code, err, attempts)
			}
		})
	}
}

// TestOneRequestForEachLeader: a batch costs one request to each broker, however many
// partitions it has, and only the partition that fails is written again.
func TestOneRequestForEachLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		c := &cluster{partitions: 8, answer: func(batch []record) kafka.Error {
			if slices.ContainsFunc(batch, func(r record) bool { return r.key == "7" }) && refused == 0 {
				refused = len(batch)
				return kafka.NotEnoughReplicas
			}
			return 0
		}}
		e := emitterOn(t, c, Config{})
		const n = 200
		for i := range n {
			if err := e.Emit(t.Context(), event.Event{RequestID: event.RequestID(fmt.Sprint(i))}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys := map[string]int{}
		for _, r := range c.took {
			keys[r.key]++
		}
		if len(c.took) != n || len(keys) != n || refused == 0 || refused > n/2 {
			t.Errorf("%d records of %d events arrived, %d were refused at first", len(c.took), len(keys), refused)
		}
		if c.requests != 3 { // one to each broker, and one for the partition that was refused
			t.Errorf("%d requests", c.requests)
		}
	})
}
