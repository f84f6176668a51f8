package emitter

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// buffered returns an emitter that sends nothing.
func buffered(t *testing.T, cfg Config) *Emitter {
	t.Helper()
	cfg.Brokers = []string{"127.0.0.1:1"}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = e.Close(ctx)
	})
	return e
}

// published returns an event as it is encoded.
func published(t *testing.T, e *Emitter, ev event.Event) (*event.Event, []byte) {
	t.Helper()
	if !e.cfg.prepare(&ev, e.contain) {
		t.Fatal("left out")
	}
	m, err := e.encode(&ev)
	if err != nil {
		t.Fatal(err)
	}
	got, err := event.Decode(m.value)
	if err != nil {
		t.Fatal(err)
	}
	return got, m.value
}

// wreck changes whatever a value points to, in place.
func wreck(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			wreck(v.Elem())
			v.Elem().SetZero()
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				wreck(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			wreck(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		v.Clear()
	}
}

// TestPrepareOwnsTheEvent: a hook may change every list, map and number of the event, also
// of fields to come, and the application's own values stay.
func TestPrepareOwnsTheEvent(t *testing.T) {
	t.Parallel()
	var ev event.Event
	fill(t, reflect.ValueOf(&ev).Elem())
	ev.Kind, ev.ContentWithheld = event.KindRequestCompleted, ""
	before, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	e := buffered(t, Config{Prepare: func(own *event.Event) bool {
		wreck(reflect.ValueOf(own).Elem())
		own.Comment = "changed"
		return true
	}})
	got, _ := published(t, e, ev)
	after, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if diff := testdiff.Of(string(before), string(after)); diff != "" || got.Comment != "changed" {
		t.Errorf("comment %q; the application's event (-before +after):\n%s", got.Comment, diff)
	}
}

// TestPrepare: what the hook does to events is what is published, of Emit and of Forward.
func TestPrepare(t *testing.T) {
	t.Parallel()
	e := buffered(t, Config{Prepare: func(ev *event.Event) bool {
		if ev.RequestID == "panics" {
			ev.Output = event.Text("half")
			panic("canary")
		}
		ev.Output = event.Text("hashed")
		return ev.Feature != "secret"
	}})
	for _, ev := range []event.Event{
		{RequestID: "a", Output: event.Text("canary"), InputTokens: new(int64)},
		{RequestID: "panics", Output: event.Text("canary"), InputTokens: new(int64)},
		{RequestID: "b", Feature: "secret"},
	} {
		if err := e.Emit(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		value := []byte(`{"event":"llm_request_completed","request_id":"` + string(ev.RequestID) + `","feature":"` + ev.Feature + `","input_tokens":0,"output":"canary","mine":"canary"}`)
		decoded, err := event.Decode(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Forward(t.Context(), decoded, value); err != nil {
			t.Fatal(err)
		}
	}
	if s := e.Stats(); s.Accepted != 4 || s.Filtered != 2 || s.Panics != 2 || s.Withheld != 2 || s.Rejected != 0 {
		t.Errorf("%+v", s)
	}
	for _, c := range []struct{ id, output, withheld string }{{"a", "hashed", ""}, {"panics", "", event.WithheldNotRedacted}} {
		got, value := published(t, e, event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(c.id), Output: event.Text("canary"), InputTokens: new(int64)})
		if got.Output.Text() != c.output || got.ContentWithheld != c.withheld || got.InputTokens == nil || strings.Contains(string(value), "canary") {
			t.Errorf("%s", value)
		}
	}
}

// TestTooLargeGoesWithoutItsContent: an event above the limit loses its media first, then
// its content, and is refused only when the rest is too large.
func TestTooLargeGoesWithoutItsContent(t *testing.T) {
	t.Parallel()
	url := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("picture", 300_000)))
	parts := event.JSON(json.RawMessage(`[{"role":"user","content":[{"type":"text","text":"Look."},{"type":"image_url","image_url":{"url":"` + url + `"}}]}]`))
	words := event.Text(strings.Repeat("word ", 300_000))
	for name, c := range map[string]struct {
		cfg             Config
		ev              event.Event
		input, withheld string
		refused         bool
	}{
		"a picture":             {ev: event.Event{Input: parts}, input: "user: Look.\n[image, 2 MB]"},
		"a picture that stays":  {cfg: Config{KeepMedia: true, MaxEventBytes: 5_000_000}, ev: event.Event{Input: parts}, input: "user: Look.\n[image, 2 MB]"},
		"it is kept if it fits": {cfg: Config{KeepMedia: true}, ev: event.Event{Input: parts}, input: "user: Look.\n[image, 2 MB]"},
		"words":                 {ev: event.Event{Input: words, Output: parts}, withheld: event.WithheldTooLarge},
		"withheld before":       {ev: event.Event{Input: words, ContentWithheld: "mine"}, withheld: "mine"},
		"names":                 {ev: event.Event{Feature: strings.Repeat("name", 300_000)}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := buffered(t, c.cfg)
			c.ev.Kind, c.ev.RequestID, c.ev.OutputTokens = event.KindRequestCompleted, "r", new(int64)
			value, err := json.Marshal(c.ev)
			if err != nil {
				t.Fatal(err)
			}
			forwarded := e.Forward(t.Context(), &c.ev, value)
			if err := e.Emit(t.Context(), c.ev); c.refused != errors.Is(err, ErrTooLarge) || c.refused != errors.Is(forwarded, ErrTooLarge) {
				t.Fatalf("Emit %v, Forward %v", err, forwarded)
			}
			if s := e.Stats(); c.refused {
				if s.Rejected != 2 || s.Withheld != 0 {
					t.Errorf("%+v", s)
				}
				return
			} else if s.Accepted != 2 || (s.Withheld == 2) != (c.withheld != "") {
				t.Errorf("%+v", s)
			}
			got, value := published(t, e, c.ev)
			if got.Input.Text() != c.input || got.ContentWithheld != c.withheld || got.OutputTokens == nil || c.withheld != "" && !got.Output.IsZero() {
				t.Errorf("%.300s", value)
			}
			if kept := strings.Contains(string(value), url); kept != (c.cfg.MaxEventBytes > 0) {
				t.Errorf("the picture is there: %v", kept)
			}
		})
	}
}

// BenchmarkMedia compares, in one run, what an event of 2 KB without media costs with and
// without the search for media.
func BenchmarkMedia(b *testing.B) {
	words := strings.Repeat("The refund is due within 30 days of your order, see https://example.com/terms. ", 26)
	e := &Emitter{cfg: DefaultConfig()}
	for range 3 {
		for _, c := range []struct {
			name string
			keep bool
		}{{"kept", true}, {"searched", false}} {
			b.Run(c.name, func(b *testing.B) {
				e.cfg.KeepMedia = c.keep
				b.ReportAllocs()
				for b.Loop() {
					ev := event.Event{Kind: event.KindRequestCompleted, RequestID: "r", Output: event.Text(words)}
					e.cfg.prepare(&ev, e.contain)
					if _, err := e.encode(&ev); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestPublisherPrepares: a publisher treats encoded events as an emitter does.
func TestPublisherPrepares(t *testing.T) {
	t.Parallel()
	p, err := NewPublisher(Config{Brokers: []string{"127.0.0.1:1"}, Prepare: func(ev *event.Event) bool {
		if ev.RequestID == "panics" {
			panic("canary")
		}
		return ev.RequestID != "left-out"
	}})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Prepared{
		"a":        {Value: []byte(`{"event":"llm_request_completed","request_id":"a","output":"words"}`), OnlyKnown: true},
		"panics":   {Value: []byte(`{"event":"llm_request_completed","request_id":"panics","content_withheld":"not_redacted"}`), ContentWithheld: event.WithheldNotRedacted, OnlyKnown: true},
		"left-out": {Filtered: true},
	} {
		got, err := p.Prepare([]byte(`{"event":"llm_request_completed","request_id":"`+id+`","output":"words","mine":"canary"}`), event.Decode)
		if err != nil {
			t.Fatal(err)
		}
		if diff := testdiff.Of(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}
