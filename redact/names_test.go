package redact_test

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

// TestNames: names and indexes are redacted, and an id becomes a hash only when it
// holds an address or a secret.
func TestNames(t *testing.T) {
	t.Parallel()
	r := redactor(t, redact.Config{})
	plain := event.Event{RequestID: "chatcmpl-4539578763621486", Feature: "support_agent", Model: "gpt-4o-2024-08-06", PromptVersion: "v1.2.3", UserRating: "4.5", Retrieval: &event.Retrieval{Index: "docs"}}
	if got := r.Names(&plain); got != &plain {
		t.Errorf("names without anything sensitive are copied: %+v", got)
	}
	e := event.Event{RequestID: event.RequestID("of " + mail("ana")), Feature: "for " + mail("ana"), Model: "m", UserRating: event.Rating("bad, " + mail("ana")), Retrieval: &event.Retrieval{Index: mail("b")}}
	got := r.Names(&e)
	if got.Feature != "for [EMAIL]" || got.Model != "m" || got.UserRating != "bad, [EMAIL]" || got.Retrieval.Index != "[EMAIL]" || e.Retrieval.Index != mail("b") || e.Feature != "for "+mail("ana") {
		t.Errorf("%+v of %+v", got, e)
	}
	if id := string(got.RequestID); !strings.HasPrefix(id, "redacted-") || strings.Contains(id, "ana") || r.Names(&e).RequestID != got.RequestID {
		t.Errorf("request id %q", id)
	}
	e.RequestID = event.RequestID("of " + mail("bob"))
	if r.Names(&e).RequestID == got.RequestID {
		t.Error("two requests have one id")
	}
	if off := redactor(t, redact.Config{Disabled: true}); off.Names(&e) != &e {
		t.Error("names are redacted although redaction is off")
	}
}
