package judges

import (
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/evalworker/evalworker/eval"
)

// Condition is how a model fares, for a status page.
type Condition struct {
	// Breaker is closed while the model is called, open while judges answer with
	// errors without calling it, and half-open while one call tries it again. An
	// open one changes with the first call after its pause.
	Breaker string `json:"breaker"`
	// Reason is why the last call failed; empty when it got an answer.
	Reason eval.Reason `json:"reason,omitempty"`
	// FailingSince is the first failure since the last answer.
	FailingSince time.Time `json:"failing_since,omitzero"`
}

// condition is a Condition that the breaker writes and a status page reads.
type condition struct {
	mu sync.Mutex
	c  Condition // guarded by mu
}

// called notes what came of a call that was made; reason is empty for an answer.
func (c *condition) called(reason eval.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.Reason = reason
	switch {
	case reason == "":
		c.c.FailingSince = time.Time{}
	case c.c.FailingSince.IsZero():
		c.c.FailingSince = time.Now()
	}
}

func (c *condition) turned(to gobreaker.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.Breaker = to.String()
}

func (c *condition) now() Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c
}
