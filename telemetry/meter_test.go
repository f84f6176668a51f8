package telemetry

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// TestDimensionsFollowEnvelope: each dimension of the envelope has its row, so that
// a new one is a decision about metrics and spans, and the other way round.
func TestDimensionsFollowEnvelope(t *testing.T) {
	t.Parallel()
	var names []string
	for _, d := range dimensions {
		names = append(names, d.name)
	}
	slices.Sort(names)
	want := event.DimNames()
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the table has the dimensions %q, the envelope %q", names, want)
	}
}

// TestLongDimensionsAreForgotten: a prompt in the place of a version becomes a tag,
// and nothing keeps the prompt.
func TestLongDimensionsAreForgotten(t *testing.T) {
	t.Parallel()
	m := newMeter(target{}, limits{200, 2000}, &drops{}, slog.New(slog.DiscardHandler))
	prompt := strings.Repeat("x", maxValueLength+1)
	for range 2 {
		if got := m.dimsOf(&event.Event{PromptVersion: prompt}).tags; !slices.Equal(got, []string{"prompt_version:" + prompt[:maxValueLength]}) {
			t.Errorf("tags = %q", got)
		}
	}
	if len(m.dims) != 0 {
		t.Error("the combination is remembered")
	}
	m.dimsOf(&event.Event{PromptVersion: prompt[1:]})
	if len(m.dims) != 1 {
		t.Error("a combination of usual length is not remembered")
	}
}

// TestEnvOfTheWorkersOwnMetrics: the environment of the configuration is on metrics that
// no event gives one; that of DD_ENV is added by the client, once.
func TestEnvOfTheWorkersOwnMetrics(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		to   target
		want []string
	}{
		{"none", target{}, []string{"eval:e"}},
		{"of the configuration", target{env: "Prod"}, []string{"env:prod", "eval:e"}},
		{"of the client", target{env: "prod", envTag: true}, []string{"eval:e"}},
	} {
		m := newMeter(test.to, limits{200, 2000}, &drops{}, slog.New(slog.DiscardHandler))
		cases := m.counts[countCases]
		own := cases.ownOf([]string{"e"})
		if _, got := cases.add(nil, &own, 1); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	m := newMeter(target{env: "prod"}, limits{200, 2000}, &drops{}, slog.New(slog.DiscardHandler))
	dims := m.dimsOf(&event.Event{Environment: "staging"})
	if _, got := m.counts[countRequests].add(dims, &ownValues{}, 1); !slices.Equal(got, []string{"env:staging"}) {
		t.Errorf("an event's own environment: %q", got)
	}
}

// TestCachedTagsFollowPlaces: an event whose tags are cached is called other from when its
// version has lost its place, and by its name from when it has one again.
func TestCachedTagsFollowPlaces(t *testing.T) {
	t.Parallel()
	m := newMeter(target{}, limits{20, 2000}, &drops{}, slog.New(slog.DiscardHandler))
	name := func(version string) string {
		return strings.TrimPrefix(m.dimsOf(&event.Event{PromptVersion: version}).tags[0], "prompt_version:")
	}
	for i := range 20 {
		name(fmt.Sprint(i))
	}
	m.clock.seconds.Store(1)
	// All new versions of the budget but two, then the two, and then it is used up.
	for i := range 8 {
		if v := fmt.Sprint("v", i); name(v) != v {
			t.Errorf("a new version is called %s", name(v))
		}
	}
	if a, b, c := name("new a"), name("new b"), name("new c"); a != "new_a" || b != "new_b" || c != "other" {
		t.Fatalf("three new versions are called %s, %s and %s", a, b, c)
	}
	for version, want := range map[string]string{"8": "other", "9": "other", "10": "10", "new c": "other"} {
		if got := name(version); got != want {
			t.Errorf("%s is called %s, want %s", version, got, want)
		}
	}
	if got := m.tagOverflows()["prompt_version"]; got != 4 {
		t.Errorf("%d values became other, want 4: one for each event", got)
	}
	m.clock.seconds.Store(1 + idleAfter)
	for _, version := range []string{"new c", "8"} {
		if got := name(version); got == "other" {
			t.Errorf("%s is called other though places are idle", version)
		}
	}
}
