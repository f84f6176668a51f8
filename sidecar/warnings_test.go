package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/evalworker/evalworker/sidecar/spool"
)

// posted sends a body and returns the answer.
func posted(t *testing.T, h http.Handler, body string, want int) answer {
	t.Helper()
	resp := request{body: body}.do(t, h)
	if resp.Code != want {
		t.Fatalf("status %d, want %d: %s", resp.Code, want, resp.Body)
	}
	var a answer
	if err := json.Unmarshal(resp.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// eventWith returns an event with more members.
func eventWith(id, members string) string {
	return fmt.Sprintf(`{"event":"llm_request_completed","request_id":%q,%s}`, id, members)
}

// TestWarnings: what is not read of accepted events is named, once for all events of a
// request, without its value; it costs neither the event nor its other fields.
func TestWarnings(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	h := w.handler()
	const read = "it is published, and not read"
	body := strings.Join([]string{
		eventWith("a", `"model":"m"`),
		eventWith("b", `"promt_version":"private","occurred_at":"2026-01-01T00:00:00"`),
		eventWith("c", `"promt_version":"private","estimated_cost_usd":NaN,"usage":{"prompt_tokens":"private"}`),
		eventWith("d", `"output_tokens":"12.0","status":200,"streaming":"1"`),
	}, "\n")
	got := posted(t, h, body, http.StatusAccepted)
	want := answer{Accepted: 4, Warnings: []lineWarning{
		{Line: 2, Field: "occurred_at", Problem: "a JSON string: " + read, Mend: "want a time in RFC 3339 with its zone, for example 2026-01-31T12:00:00Z, or seconds, milliseconds, microseconds or nanoseconds since 1970"},
		{Line: 2, Field: "promt_version", Problem: "unknown field: " + read, Mend: "did you mean prompt_version?", Events: 2},
		{Line: 3, Field: "estimated_cost_usd", Problem: "a JSON number that is not finite: " + read, Mend: "want a number"},
		{Line: 3, Field: "usage.prompt_tokens", Problem: "a JSON string: " + read, Mend: "want a number of tokens"},
	}}
	byField := cmpopts.SortSlices(func(a, b lineWarning) bool { return a.Field < b.Field })
	if d := cmp.Diff(want, got, byField); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
	if a := posted(t, h, eventWith("e", `"output":"a"`), http.StatusAccepted); a.Warnings != nil {
		t.Errorf("%+v", a)
	}
	if n := w.Status().Events.Warned; n != 2 {
		t.Errorf("%d events warned of", n)
	}

	var many strings.Builder
	for i := range 50 {
		many.WriteString(eventWith(fmt.Sprint("m", i), fmt.Sprintf(`"own_%d":1`, i)) + "\n")
	}
	if a := posted(t, h, many.String(), http.StatusAccepted); len(a.Warnings) != maxListed || a.More != 50-maxListed {
		t.Errorf("%d listed, %d more", len(a.Warnings), a.More)
	}
	for range 3 {
		posted(t, h, eventWith("f", `"private":1`)+"\n{}", http.StatusBadRequest)
	}
	w.logLateWarnings(true)
	w.logLateWarnings(true) // there is nothing more to log
	log := w.logs.String()
	if n := strings.Count(log, "members that are not read"); n != 2 || strings.Contains(log, "private") || !strings.Contains(log, `"count":4,"since":`) {
		t.Errorf("log:\n%s", log)
	}
}

// TestStrictRefusesWhatItWouldWarnOf: with the same words.
func TestStrictRefusesWhatItWouldWarnOf(t *testing.T) {
	t.Parallel()
	w := build(t, Config{Strict: true}, spool.Config{})
	a := posted(t, w.handler(), eventWith("a", `"promt_version":"1"`), http.StatusBadRequest)
	if len(a.Faults) != 1 || a.Faults[0].Problem != `malformed: unknown field "promt_version", did you mean "prompt_version"?` || a.Warnings != nil {
		t.Errorf("%+v", a)
	}
}

// TestMendsAreBounded: names that clients make up do not fill the memory.
func TestMendsAreBounded(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	for i := range maxMends/10 + 10 {
		var body strings.Builder
		for j := range 12 {
			body.WriteString(eventWith("a", fmt.Sprintf(`"n%d_%d":1`, i, j)) + "\n")
		}
		posted(t, w.handler(), body.String(), http.StatusAccepted)
	}
	if n := len(w.mends.known); n != maxMends {
		t.Errorf("%d names are remembered", n)
	}
}

// TestTextThatIsNotUTF8: it is replaced before the spool, and the answer says so.
func TestTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	got := request{body: `{"event":"llm_request_completed","request_id":"r","output":"a` + "\xff" + `b"}`}.do(t, w.handler())
	if got.Code != http.StatusAccepted || !strings.Contains(got.Body.String(), `"field":"text"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	batch, err := w.spool.Next(t.Context(), spool.Limits{Records: 1, Bytes: 1 << 20})
	if err != nil || len(batch.Records) != 1 || !utf8.Valid(batch.Records[0].Data) || !bytes.Contains(batch.Records[0].Data, []byte("a\ufffdb")) {
		t.Errorf("spooled %+v, %v", batch, err)
	}
}
