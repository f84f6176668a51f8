package telemetry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// TestToolNames: a name becomes a tag when the application knows the tool, and never
// because the model wrote it.
func TestToolNames(t *testing.T) {
	t.Parallel()
	const offered = `[{"type":"function","function":{"name":"lookup"}},{"name":"Odd name, but offered"}]`
	type calls = []event.ToolCall
	for name, tt := range map[string]struct {
		tools string
		calls calls
		want  []string
	}{
		"offered":               {offered, calls{{Name: "lookup"}, {Name: "Odd name, but offered"}}, []string{"lookup", "Odd name, but offered"}},
		"offered, failed":       {offered, calls{{Name: "lookup", Status: "error"}}, []string{"lookup"}},
		"with a prefix":         {offered, calls{{Name: "functions.lookup"}, {Name: "lookup<|channel|>ana@example.com"}}, []string{"lookup", "lookup"}},
		"invented":              {offered, calls{{Name: "ana_k"}, {Name: "ana_k", Status: "success"}}, []string{"other", "other"}},
		"the provider's own":    {offered, calls{{Name: "web_search", Type: event.CallServer, Status: "completed"}}, []string{"web_search"}},
		"of an MCP server":      {`[{"type":"mcp"}]`, calls{{Name: "orders", Status: "success"}, {Name: "ana_k"}}, []string{"orders", "other"}},
		"nothing offered":       {`[]`, calls{{Name: "lookup", Status: "success"}}, []string{"other"}},
		"unknown":               {"", calls{{Name: "ana_k"}, {Name: "ana_k", Status: "error"}, {Name: "ana_k", Status: "whatever"}}, []string{"other", "other", "other"}},
		"unknown, but it ran":   {"", calls{{Name: "track"}, {Name: "track", Status: "done"}, {Name: "track", Status: "error"}}, []string{"other", "track", "track"}},
		"text in place of one":  {"", calls{{Name: "look up ana", Status: "success"}, {Name: strings.Repeat("a", 65), Status: "success"}}, []string{"other", "other"}},
		"in no known form":      {offered, calls{{}}, []string{"other"}},
		"tools in no known one": {`"?"`, calls{{Name: "lookup"}, {Name: "lookup", Status: "200"}}, []string{"other", "lookup"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := newToolNames(nil)
			e := &event.Event{Tools: event.JSON(json.RawMessage(tt.tools)), ToolCalls: tt.calls}
			var got []string
			for i := range e.ToolCalls {
				got = append(got, names.name(&e.ToolCalls[i], names.offered(e)))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestToolNamesAreRedacted: a name is sent as redaction shows it, whether the tool was
// offered or its call succeeded.
func TestToolNamesAreRedacted(t *testing.T) {
	t.Parallel()
	names := newToolNames(func(name string) string { return strings.ReplaceAll(name, "ana", "[NAME]") })
	call := event.ToolCall{Name: "ask_ana", Status: "success"}
	for _, tools := range []string{`[{"name":"ask_ana"}]`, ""} {
		e := &event.Event{Tools: event.JSON(json.RawMessage(tools))}
		for range 2 {
			if got := names.name(&call, names.offered(e)); got != "ask_[NAME]" {
				t.Errorf("tools %s: %q", tools, got)
			}
		}
	}
}

// TestToolNamesAreBounded: neither many lists of tools nor many names take memory.
func TestToolNamesAreBounded(t *testing.T) {
	t.Parallel()
	names := newToolNames(nil)
	for i := range 3 * maxToolsRun {
		c := event.ToolCall{Name: fmt.Sprint("t", i), Status: "success"}
		names.name(&c, names.offered(&event.Event{Tools: event.JSON(json.RawMessage(fmt.Sprintf(`{"t":%d}`, i)))}))
	}
	if len(names.offers) > maxOffers || len(names.run) > maxToolsRun {
		t.Errorf("%d lists, %d names", len(names.offers), len(names.run))
	}
}
