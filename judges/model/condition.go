package model

import (
	"time"

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

// called notes what came of a call that was made; reason is empty for an answer.
func (c *Condition) called(reason eval.Reason) {
	c.Reason = reason
	switch {
	case reason == "":
		c.FailingSince = time.Time{}
	case c.FailingSince.IsZero():
		c.FailingSince = time.Now()
	}
}
