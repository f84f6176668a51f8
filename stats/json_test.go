package stats_test

import (
	"encoding/json"
	"testing"

	"github.com/evalworker/evalworker/stats"
)

// TestWhatWasNotComparedHasNoNumbers: in JSON, an unknown p-value is null and not 0.
func TestWhatWasNotComparedHasNoNumbers(t *testing.T) {
	t.Parallel()
	var table stats.Table
	put(&table, "p", "1", "e", 9, 1)
	put(&table, "p", "2", "e", 8, 2)
	got, err := json.Marshal(stats.Compare(&table, stats.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var read []map[string]any
	if err := json.Unmarshal(got, &read); err != nil {
		t.Fatal(err)
	}
	for _, c := range read {
		for _, name := range []string{"baseline", "difference", "low", "high", "p_value", "smallest_drop"} {
			if value, ok := c[name]; !ok || value != nil {
				t.Errorf("%s of version %s is %v (%v), want null", name, c["prompt_version"], value, c["not_compared"])
			}
		}
		if c["rate"] == nil || c["worse"] != false {
			t.Errorf("version %s: rate %v, worse %v", c["prompt_version"], c["rate"], c["worse"])
		}
	}
	var back []stats.Comparison
	if err := json.Unmarshal(got, &back); err != nil || len(back) != len(read) {
		t.Errorf("read back: %v", err)
	}
}
