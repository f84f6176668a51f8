package sidecar

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// FuzzIngest: whatever is posted, the answer is a documented one, and what it says
// about the lines is true: every good one is in the spool.
func FuzzIngest(f *testing.F) {
	f.Add("application/json", "", []byte(newEvent("a")))
	f.Add("application/x-ndjson", "", []byte(lines("a", "b")+"{\n\n[]"))
	f.Add("", "gzip", []byte(zipped(f, lines("a"))))
	f.Add("application/json", "", []byte("{\"event\":\n"+newEvent("a")+"\n"+newEvent("b")))
	f.Add("text/plain", "br", []byte{0})
	f.Add("application/x-ndjson", "", bytes.Repeat([]byte("x"), 5000))
	f.Add("application/x-ndjson", "", []byte(eventWith("a", `"promt_version":"1","occurred_at":"2026-01-01T00:00:00","usage":{"prompt_tokens":-1}`)+"\n"+eventWith("b", `"promt_version":"2","latency":1,"choices":[]`)))
	w := build(f, Config{MaxBodyBytes: 4000}, spool.Config{MaxBytes: 1 << 16})
	h := w.handler()
	f.Fuzz(func(t *testing.T, mime, encoding string, body []byte) {
		before := w.spool.Stats().Events
		resp := request{body: string(body), header: map[string]string{"Content-Type": mime, "Content-Encoding": encoding}}.do(t, h)
		if !slices.Contains([]int{202, 400, 413, 415, 429}, resp.Code) {
			t.Fatalf("status %d", resp.Code)
		}
		var got answer
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if n := w.spool.Stats().Events - before; n != int64(got.Accepted) {
			t.Errorf("%d accepted, %d in the spool", got.Accepted, n)
		}
		if (resp.Code == http.StatusAccepted) != (got.Error == "") || (got.Rejected > 0) != (len(got.Faults) > 0) {
			t.Errorf("%d with %+v", resp.Code, got)
		}
		warned := got.More
		for _, one := range got.Warnings {
			warned += max(one.Events, 1)
			if one.Line < 1 || one.Field == "" && !bytes.Contains(body, []byte(`""`)) || one.Problem == "" || len(one.Field) > 200 {
				t.Errorf("warning %+v", one)
			}
		}
		if len(got.Warnings) > maxListed || got.More > 0 && len(got.Warnings) < maxListed || warned > 0 && got.Accepted == 0 {
			t.Errorf("%d warnings, %d more, of %d events", len(got.Warnings), got.More, got.Accepted)
		}
		if encoding == "" && (resp.Code == 202 || resp.Code == 400) && mime == "application/x-ndjson" {
			good, bad := 0, 0
			for line := range bytes.Lines(bytes.TrimPrefix(body, []byte("\ufeff"))) {
				line = bytes.TrimSpace(line)
				if _, err := w.cluster.publisher.Prepare(line, event.Decode); err == nil {
					good++
				} else if len(line) > 0 {
					bad++
				}
			}
			if got.Accepted != good || got.Rejected != bad {
				t.Errorf("accepted %d, rejected %d, want %d and %d", got.Accepted, got.Rejected, good, bad)
			}
		}
		for w.spool.Stats().Events > 0 { // or it is full some day
			b, err := w.spool.Next(t.Context(), spool.Limits{Records: 1000, Bytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.spool.Done(b); err != nil {
				t.Fatal(err)
			}
		}
	})
}
