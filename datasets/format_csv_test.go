package datasets_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
)

// TestCSV: an export is read back, and a spreadsheet runs none of it.
func TestCSV(t *testing.T) {
	t.Parallel()
	r := failing(1, "=1+1", "a\nb,\"c\" <tag>")
	r.Event.ToolCalls = []event.ToolCall{{Name: "-f", Arguments: event.JSON(json.RawMessage(`{"x": 1}`))}}
	rows, err := csv.NewReader(strings.NewReader(exported(t, datasets.CSV(), r))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	cells := map[string]string{}
	for i, name := range rows[0] {
		cells[name] = rows[1][i]
	}
	if cells["input"] != "'=1+1" || cells["tool_calls"] != `'-f {"x":1}` || cells["output"] != "a\nb,\"c\" <tag>" || cells["score"] != "0" {
		t.Errorf("row: %q", cells)
	}
}
