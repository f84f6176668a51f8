package datasets_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
)

// TestIDsInOneForm: trace and span ids are hexadecimal texts in every format, with the
// decimal forms as texts beside them in JSON; also those that an earlier build wrote.
func TestIDsInOneForm(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "trace_id_decimal": "11803532876627986230",
		"span_id": "000462d537e7efff", "span_id_decimal": "1234567812345855", // as many digits as the hexadecimal form
	}
	r := failing(1, "q", "a")
	r.Event.TraceContext = event.TraceContext{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-000462d537e7efff-01"}
	check := func(text string) {
		t.Helper()
		var row map[string]any
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		for name, id := range want {
			if row[name] != id {
				t.Errorf("%s: %v, want %q", name, row[name], id)
			}
		}
	}
	check(exported(t, datasets.JSONL(), r))
	cells := csvCells(t, r)
	if _, number := cells["span_id_decimal"]; number || cells["trace_id"] != want["trace_id"] || cells["span_id"] != want["span_id"] {
		t.Errorf("cells: %q", cells)
	}

	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	s := open(t, cfg)
	if _, err := keeper(t, s, cfg).Offer(t.Context(), r, r.Event); err != nil {
		t.Fatal(err)
	}
	_, err := raw(t, "sqlite", path).ExecContext(t.Context(), `UPDATE exemplars SET body = json_set(json_remove(body, '$.trace_id_decimal', '$.span_id_decimal'), '$.span_id', ?)`,
		want["span_id_decimal"])
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := datasets.NewCases(s).Export(t.Context(), &out, datasets.JSONL(), datasets.Filter{}); err != nil {
		t.Fatal(err)
	}
	check(out.String())
}
