package datasets_test

import (
	"encoding/json"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
)

// TestJSONL: an export is read back.
func TestJSONL(t *testing.T) {
	t.Parallel()
	text := exported(t, datasets.JSONL(), failing(1, "=1+1", "a\nb,\"c\" <tag>"))
	var row datasets.Row
	if err := json.Unmarshal([]byte(text), &row); err != nil || row.RequestID != "r1" || row.Evaluator != "e" || event.JSON(row.Output).Text() != "a\nb,\"c\" <tag>" {
		t.Errorf("line: %s (%v)", text, err)
	}
}
