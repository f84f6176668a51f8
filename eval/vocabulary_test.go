package eval_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestZeroOutcome: a verdict that was never filled in is an error, not a pass.
func TestZeroOutcome(t *testing.T) {
	t.Parallel()
	var v eval.Verdict
	if v.Outcome != eval.OutcomeError || v.Outcome.Decided() {
		t.Errorf("the zero outcome is %s", v.Outcome)
	}
	for _, o := range eval.Outcomes() {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back eval.Outcome
		if err := json.Unmarshal(b, &back); err != nil || back != o {
			t.Errorf("%s reads back as %s, %v", b, back, err)
		}
	}
	var o eval.Outcome
	if err := json.Unmarshal([]byte(`"passed"`), &o); err == nil {
		t.Error("an unknown outcome is accepted")
	}
}

func TestErrorClasses(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	tests := []struct {
		name      string
		err       error
		permanent bool
		reason    eval.Reason
	}{
		{"nil", nil, false, ""},
		{"plain", cause, false, eval.ReasonInternal},
		{"permanent", eval.Permanent(eval.ReasonMalformed, cause), true, eval.ReasonMalformed},
		{"permanent, wrapped", fmt.Errorf("decode event r1: %w", eval.Permanent(eval.ReasonTooLarge, cause)), true, eval.ReasonTooLarge},
		{"permanent below a reason", eval.WithReason(eval.ReasonInternal, eval.Permanent(eval.ReasonMalformed, cause)), true, eval.ReasonInternal},
		{"with a reason", eval.WithReason(eval.ReasonQuota, cause), false, eval.ReasonQuota},
		{"deadline", fmt.Errorf("call: %w", context.DeadlineExceeded), false, eval.ReasonTimeout},
		{"canceled", context.Canceled, false, eval.ReasonCanceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := eval.IsPermanent(tt.err); got != tt.permanent {
				t.Errorf("IsPermanent = %t", got)
			}
			if got := eval.ReasonOf(tt.err); got != tt.reason {
				t.Errorf("ReasonOf = %q, want %q", got, tt.reason)
			}
		})
	}
	if !errors.Is(eval.Permanent(eval.ReasonMalformed, cause), cause) {
		t.Error("a classed error hides its cause")
	}
}

func TestToolCallFailed(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{"": false, "success": false, "OK": false, "in_progress": false, "error": true, "timeout": true, "failed": true} {
		if got := (&event.ToolCall{Status: status}).Failed(); got != want {
			t.Errorf("%q failed: %t", status, got)
		}
	}
}
