package event_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/evalworker/evalworker/event"
)

var update = flag.Bool("update", false, "write generated files")

// TestSchemaFile keeps the published schema equal to the Go types.
func TestSchemaFile(t *testing.T) {
	t.Parallel()
	const file = "event.schema.json"
	if *update {
		if err := os.WriteFile(file, event.Schema(), 0o644); err != nil { //nolint:gosec // a published document
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(event.Schema()) {
		t.Errorf("%s is stale: run go generate ./...", file)
	}
}

// TestSchemaNamesEveryField: a field without a description would be published
// without a meaning.
func TestSchemaNamesEveryField(t *testing.T) {
	t.Parallel()
	var walk func(path string, node map[string]any)
	walk = func(path string, node map[string]any) {
		props, _ := node["properties"].(map[string]any)
		for name, p := range props {
			prop := p.(map[string]any)
			if prop["description"] == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
			walk(path+"."+name, prop)
			if items, ok := prop["items"].(map[string]any); ok {
				walk(path+"."+name, items)
			}
		}
	}
	var root map[string]any
	if err := json.Unmarshal(event.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	walk("event", root)
}

// TestRatingOfEveryPublisher: a rating is the same in headers and body, however the
// publisher spells it.
func TestRatingOfEveryPublisher(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"down": "down", "Down": "down", " DOWN\t": "down", "Très bien": "très bien", "meh": "meh", "neutral": "neutral",
		"thumbs_up": "up", "THUMBS_DOWN": "down", "thumbs-up": "up", "Thumbs down": "down", "thumbsup": "up", ":thumbsdown:": "down",
		"like": "up", "Dislike": "down", "positive": "up", "negative": "down", "Good": "up", "bad": "down", "not_helpful": "down",
		"true": "up", "True": "up", "false": "down", "+1": "up", "-1": "down", ":+1:": "up",
		"👍": "up", "👎": "down", "👍🏽": "up", "👎\ufe0f": "down",
		"4": "4", "4.0": "4", "1.50": "1.5", "-2": "-2", "+4": "4", "1e2": "100", "10": "10",
		"4/5": "4/5", " 4.0 / 5": "4/5", "0/1": "0/1", "4/0": "4/0", "1/2/3": "1/2/3", "4/five": "4/five",
		"★★★★☆": "4/5", "⭐⭐⭐⭐⭐": "5/5", "⭐️⭐️": "2", "☆☆☆": "0/3", "☆★": "☆★", "★ ★": "★ ★", "★★★★★★★★★★★": "★★★★★★★★★★★",
		"inf": "inf", "NaN": "nan", "0x1p4": "0x1p4", "1_000": "1_000", "1e999": "1e999", "": "",
	} {
		env, ok := event.EnvelopeFromHeaders([]event.Header{
			{Key: event.HeaderEvent, Value: []byte(event.KindRequestCompleted)},
			{Key: event.HeaderRequestID, Value: []byte("r")},
			{Key: "user_rating", Value: []byte(written)},
		})
		inMemory := (&event.Event{UserRating: event.Rating(written)}).Envelope()
		body, err := json.Marshal(map[string]string{"event": string(event.KindRequestCompleted), "request_id": "r", "user_rating": written})
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		rating, _ := event.DimNamed("user_rating")
		for from, got := range map[string]string{"headers": env.Dims[rating], "body": string(e.UserRating), "memory": inMemory.Dims[rating]} {
			if !ok || got != want {
				t.Errorf("%q is %q in %s, want %q", written, got, from, want)
			}
		}
	}
}
