package pipeline_test

import (
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

// TestACaseWithoutItsContent: the case of an event that was published without its content
// says that the content is missing, and is none of a question that was empty.
func TestACaseWithoutItsContent(t *testing.T) {
	t.Parallel()
	for reason, withheld := range map[string]bool{"": false, event.WithheldTooLarge: true, "mine": true} {
		w := &world{}
		p := newPipeline(t, w, sampler.Config{DefaultRate: 1}, rule("slow", fail))
		body := []byte(`{"event":"llm_request_completed","request_id":"r","content_withheld":"` + reason + `"}`)
		if _, err := p.Evaluate(t.Context(), body); err != nil {
			t.Fatal(err)
		}
		if len(w.offers) != 1 || (w.offers[0] == nil) != withheld {
			t.Errorf("%q: the keeper got %v", reason, w.offers)
		}
	}
}
