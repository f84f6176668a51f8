package emitter_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// TestTwoMegabytesArrive: an event above the limit is in the topic with its measures, a
// picture as what it was, and words withheld.
func TestTwoMegabytesArrive(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{})
	e := newEmitter(t, emitter.Config{Brokers: []string{b.Addr()}, Topic: topic})
	picture := make([]byte, 2_000_000)
	_, _ = rand.Read(picture) // never fails
	base64Picture := base64.StdEncoding.EncodeToString(picture)
	for id, input := range map[event.RequestID]event.Content{
		"picture": event.JSON(json.RawMessage(`[{"role":"user","content":[{"type":"text","text":"Look."},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + base64Picture + `"}}]}]`)),
		"words":   event.Text(strings.Repeat("canary ", 300_000)),
	} {
		if err := e.Emit(t.Context(), event.Event{RequestID: id, Status: "success", Input: input, InputTokens: new(int64(7))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	arrived := map[event.RequestID]bool{}
	for _, m := range messages(t, b.Addr()) {
		got, err := event.Decode(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		arrived[got.RequestID] = true
		if got.Status != "success" || got.InputTokens == nil || *got.InputTokens != 7 {
			t.Errorf("%s has lost its measures: %.300s", got.RequestID, m.Value)
		}
		want, withheld := "user: Look.\n[image, 2 MB]", ""
		if got.RequestID == "words" {
			want, withheld = "", event.WithheldTooLarge
		}
		if got.Input.Text() != want || got.ContentWithheld != withheld {
			t.Errorf("%s: input %.300q, withheld %q", got.RequestID, got.Input.Text(), got.ContentWithheld)
		}
		if text := string(m.Value); strings.Contains(text, base64Picture[:100]) || strings.Contains(text, "canary") {
			t.Errorf("%s: the content is there: %.300s", got.RequestID, m.Value)
		}
	}
	if len(arrived) != 2 {
		t.Errorf("%v arrived", arrived)
	}
}
