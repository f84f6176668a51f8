package datasets_test

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestCSV: an export is read back, and a spreadsheet runs none of it.
func TestCSV(t *testing.T) {
	t.Parallel()
	r := failing(1, "=1+1", "a\nb,\"c\" <tag>")
	r.Event.ToolCalls = []event.ToolCall{{Name: "-f", Arguments: event.JSON(json.RawMessage(`{"x": 1}`))}}
	cells := csvCells(t, r)
	if cells["input"] != "'=1+1" || cells["tool_calls"] != `'-f {"x":1}` || cells["output"] != "a\nb,\"c\" <tag>" || cells["score"] != "0" {
		t.Errorf("row: %q", cells)
	}
}

// TestCSVAnswers: the cells hold what was said, whatever the provider's shape.
func TestCSVAnswers(t *testing.T) {
	t.Parallel()
	r := failing(1, "", "")
	r.Event.Input = event.JSON([]byte(`{"contents":[{"parts":[{"text":"What is it?"},{"inlineData":{"mimeType":"image/png","data":"` + strings.Repeat("iVBORw0K", 100) + `"}}]}]}`))
	r.Event.Output = event.JSON([]byte(`{"candidates":[{"content":{"parts":[{"text":"hmm","thought":true},{"text":"A cat."},{"functionCall":{"name":"f","args":{}}}]}}]}`))
	cells := csvCells(t, r)
	if cells["input"] != "user: What is it?\n[image, 600 B]" || cells["output"] != "A cat." {
		t.Errorf("row: %q", cells)
	}
}

// csvCells exports a report and returns the cells of its row by their column.
func csvCells(t *testing.T, r *eval.Report) map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(exported(t, datasets.CSV(), r))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	cells := map[string]string{}
	for i, name := range rows[0] {
		cells[name] = rows[1][i]
	}
	return cells
}

// TestCSVCalls: calls that stand only in the output have their column too.
func TestCSVCalls(t *testing.T) {
	t.Parallel()
	r := failing(1, "?", "x")
	r.Event.Output = event.JSON(json.RawMessage(`{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{"x": 1}},{"type":"tool_use","name":"g","input":{}}]}`))
	rows, err := csv.NewReader(strings.NewReader(exported(t, datasets.CSV(), r))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	if got := rows[1][slices.Index(rows[0], "tool_calls")]; got != "f {\"x\":1}\ng {}" {
		t.Errorf("calls: %q", got)
	}
}

// TestCSVFormulas: what begins a formula, in every form, and what does not.
func TestCSVFormulas(t *testing.T) {
	t.Parallel()
	guarded := []string{
		"=1+1", "+1+1", "-1+1", "@SUM(1)", "|calc", "%0A=1", "\tx", "\rx", "\nx", "=", "-", "\t", "\r=1", " =1+1", "\u00a0=1", "\u3000=1",
		"\uff1d1+1", "\uff0b1+1", "\uff0d1+1", "\uff20SUM(1)", "\uff5ccalc", "\uff05x", "\ufe66x", "\ufe62x", "\ufe63x", "\ufe6bx",
		"\ufeff=1", "\u200b=1", "\u200e=1", "\x00=1", "-1-1", "+x", "--",
	}
	plain := []string{"", "text", "a=1", "-5", "+1.5e3", "-0.25", "'=1", "5%", "\"=1\"", "\u00e9=1", "\u2212x", "\u2013 x", "#1", "(1)"}
	for _, texts := range [][]string{guarded, plain} {
		for _, text := range texts {
			rows, err := csv.NewReader(strings.NewReader(exported(t, datasets.CSV(), failing(1, text, "x")))).ReadAll()
			if err != nil || len(rows) != 2 {
				t.Fatalf("%q: %v, %v", text, rows, err)
			}
			got := rows[1][slices.Index(rows[0], "input")]
			want := text
			if &texts[0] == &guarded[0] {
				want = "'" + text
			}
			if want = strings.ReplaceAll(want, "\r\n", "\n"); got != want {
				t.Errorf("%q became %q, want %q", text, got, want)
			}
		}
	}
}
