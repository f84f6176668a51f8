package policy_test

import (
	"testing"

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
