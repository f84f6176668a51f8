package sidecar

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

// TestRejectedEventsOfABatchAreCounted: the one line about a batch counts all that Kafka
// refuses of it, so that a loss is not taken for that of one event.
func TestRejectedEventsOfABatchAreCounted(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{true, false} {
		var text bytes.Buffer
		f := &forwarder{log: slog.New(slog.NewJSONHandler(&text, nil))}
		f.logRejected(nil, kept)
		f.logRejected([]emitter.RejectedEvent{
			{EncodedEvent: emitter.EncodedEvent{Event: &event.Event{RequestID: "first"}, Value: []byte("123")}, Err: errors.New("too large")},
			{Err: errors.New("no event")},
			{Err: errors.New("no event")},
		}, kept)
		var got struct {
			Count, Bytes int
			Request_ID   string //nolint:revive,staticcheck // as JSON has it
			Error        string
		}
		if err := json.Unmarshal(text.Bytes(), &got); err != nil { // one line
			t.Fatalf("%v in %s", err, &text)
		}
		if got.Count != 3 || got.Bytes != 3 || got.Request_ID != "first" || got.Error != "too large" {
			t.Errorf("kept %t: %s", kept, &text)
		}
	}
}
