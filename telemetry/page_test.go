package telemetry

import (
	"log/slog"
	"testing"
)

// TestLabelsAreEscaped: tags hold nothing that needs it, and a page does not rely on that.
func TestLabelsAreEscaped(t *testing.T) {
	t.Parallel()
	m := newMeter(target{}, limits{10, 10}, &drops{}, slog.New(slog.DiscardHandler))
	set := newTagSet("k", 10, func(s string) string { return s }, m.clock)
	f := newFamily(m, &Metric{Name: "m", Help: "a\\b\n\"c\"", Type: TypeGauge, Tags: []string{"k"}}, []*tagSet{set}, 1)
	own := f.ownOf([]string{"a\"b\\c\nd"})
	f.set(&own, 1)
	for open, want := range map[bool]string{
		false: "# HELP m a\\\\b\\n\"c\"\n# TYPE m gauge\nm{k=\"a\\\"b\\\\c\\nd\"} 1\n",
		true:  "# HELP m a\\\\b\\n\\\"c\\\"\n# TYPE m gauge\nm{k=\"a\\\"b\\\\c\\nd\"} 1.0\n",
	} {
		if got := string(f.append(nil, open)); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
