package demo

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/scenario"
)

// message is one message as an application publishes it.
type message struct {
	event event.Event
	// body is set when an old client wrote the message: it is no event that can
	// be read, though its headers, made from event, are in order.
	body []byte
}

// oldClientEvery is the number of messages of which one comes from an old client.
const oldClientEvery = 400

// oldClientStream sets the choice of these messages apart from all else that is
// drawn from the same seed.
const oldClientStream = 0x6f6c64

// traffic gives the first n messages of a scenario. The same scenario, seed and
// start give the same messages.
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
			// The old client logs answers only, so one that is due after a failed
			// request waits for the next.
			if due > 0 && e.Status == statusSuccess {
				due--
				m.body, err = oldClientBody(&e)
			}
			if i++; !yield(m, err) || i == n {
				return
			}
		}
	}
}

const statusSuccess = "success"

// oldClientBody writes an event as a client does that logs the latency with its
// unit: as text, where a number belongs.
func oldClientBody(e *event.Event) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	fields["llm_latency_ms"] = json.RawMessage(fmt.Sprintf(`"%.0fms"`, *e.LatencyMS))
	return json.Marshal(fields)
}
