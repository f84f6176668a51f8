package policy_test

import (
	"testing"
	"time"

	"github.com/evalworker/evalworker/policy"
)

// TestDeterministic: these need no settings.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	c := policy.DefaultConfig()
	c.Evaluators = policy.Deterministic()
	if faults := c.Validate(); len(faults) > 0 || len(c.Evaluators) == 0 {
		t.Error(faults)
	}
	for _, e := range c.Evaluators {
		if e.Judge() {
			t.Errorf("%s asks a model", e.Name)
		}
	}
}

// TestJudgesFaults: what judges do while a model is down has a fault with its key.
func TestJudgesFaults(t *testing.T) {
	t.Parallel()
	for path, change := range map[string]func(*policy.JudgesConfig){
		"judges.when_down": func(c *policy.JudgesConfig) { c.WhenDown = "hold" },
		"judges.max_wait":  func(c *policy.JudgesConfig) { c.MaxWait = 25 * time.Hour },
	} {
		c := policy.DefaultConfig()
		c.Judges.WhenDown = policy.WhenDownWait
		change(&c.Judges)
		if faults := c.Validate(); len(faults) != 1 || faults[0].Path != path || faults[0].Expected == "" {
			t.Errorf("%s: %v", path, faults)
		}
	}
}

// TestMissing: a policy without evaluators is never built.
func TestMissing(t *testing.T) {
	t.Parallel()
	c := policy.DefaultConfig()
	if faults := c.Validate(); len(faults) > 0 {
		t.Errorf("tools need no evaluators: %v", faults)
	}
	b := policy.NewBuilder(policy.Deps{})
	defer b.Close()
	if p, err := b.Build(&c); err == nil || err.Error() != c.Missing().Error() {
		t.Errorf("built %v, %v", p, err)
	}
}
