package datadog_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

func TestParseStatsD(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, line string
		want       datadog.StatsDMetric
	}{
		{"count", "a.b_c:3|c", datadog.StatsDMetric{Name: "a.b_c", Type: "c", Values: []float64{3}, Rate: 1}},
		{"several values, rate and tags", "d:0.5:1:-2e3|d|@0.25|#env:prod,x:a:b/c.d-e_f", datadog.StatsDMetric{
			Name: "d", Type: "d", Values: []float64{0.5, 1, -2000}, Rate: 0.25, Tags: []string{"env:prod", "x:a:b/c.d-e_f"},
		}},
		{"every other field", "g:1|g|#a:b|c:ci-0123|e:it-false|card:low|T1700000000", datadog.StatsDMetric{
			Name: "g", Type: "g", Values: []float64{1}, Rate: 1, Tags: []string{"a:b"},
		}},
		{"set", "s:some one|s", datadog.StatsDMetric{Name: "s", Type: "s", Rate: 1}},
		{"cardinality before the container", "g:1|g|card:high|c:in-9", datadog.StatsDMetric{Name: "g", Type: "g", Values: []float64{1}, Rate: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := datadog.ParseStatsD(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestParseStatsDRefuses(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"nothing":                 "",
		"no type":                 "a:1",
		"empty name":              ":1|c",
		"name starts with digit":  "1a:1|c",
		"name ends with dot":      "llm.eval.:1|d",
		"name with space":         "a b:1|c",
		"long name":               strings.Repeat("a", 201) + ":1|c",
		"unknown type":            "a:1|x",
		"empty value":             "a:|c",
		"empty set":               "a:|s",
		"NaN":                     "a:NaN|g",
		"infinity":                "a:+Inf|d",
		"words":                   "a:one|c",
		"unknown field":           "a:1|c|zz",
		"empty field":             "a:1|c|",
		"field twice":             "a:1|c|#a:b|#c:d",
		"rate of zero":            "a:1|d|@0",
		"rate above one":          "a:1|d|@2",
		"time of zero":            "a:1|c|T0",
		"bad cardinality":         "a:1|c|card:huge",
		"tag without value":       "a:1|c|#a",
		"tag with an empty value": "a:1|c|#a:",
		"tag with a capital":      "a:1|c|#a:B",
		"tag with a space":        "a:1|c|#a:b c",
		"a comma that splits":     "a:1|c|#reason:bad,tag",
		"a bar that splits":       "a:1|c|#reason:bad|tag",
		"a hash":                  "a:1|c|#reason:bad#tag",
		"the same key twice":      "a:1|c|#env:a,env:b",
		"event":                   "_e{1,1}:a|b",
		"service check":           "_sc|a|0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if m, err := datadog.ParseStatsD(line); err == nil {
				t.Errorf("ParseStatsD(%q) = %+v, want an error", line, m)
			}
		})
	}
}

func FuzzParseStatsD(f *testing.F) {
	f.Add("a.b:1:2|d|@0.5|#env:prod,x:y|c:ci-1|T17")
	f.Add("a:1|c|#bad tag,|")
	f.Fuzz(func(t *testing.T, line string) {
		m, err := datadog.ParseStatsD(line)
		if err != nil {
			return
		}
		if m.Name == "" || m.Type == "" || m.Rate <= 0 || m.Rate > 1 || m.Type != "s" && len(m.Values) == 0 {
			t.Errorf("ParseStatsD(%q) = %+v", line, m)
		}
	})
}

// TestSinks sends through the real client over each transport.
func TestSinks(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]func(testing.TB) *datadog.StatsDSink{
		"udp": datadog.StatsD, "unix datagram": datadog.StatsDUnix,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := listen(t)
			c, err := statsd.New(sink.Address, statsd.WithExtendedClientSideAggregation(), statsd.WithoutTelemetry())
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_ = c.Count("hits", 2, []string{"k:v"}, 1)
				_ = c.Distribution("size", 0.5, nil, 1)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if !sink.Wait(ctx, func(s *datadog.StatsDSink) bool {
				return s.Sum("hits", "k:v") == 6 && len(s.Values("size")) == 3
			}) {
				t.Errorf("got %v", sink.Metrics())
			}
			if sink.Sum("hits", "k:other") != 0 || sink.Metrics()[0].Tag("nokey") != "" {
				t.Error("tags are not looked at")
			}
		})
	}
}

// TestWaitGivesUp: a condition that never holds ends with the context.
func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	sink, agent := datadog.StatsD(t), datadog.Agent(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if sink.Wait(ctx, func(s *datadog.StatsDSink) bool { return len(s.Metrics()) > 0 }) {
		t.Error("sink: waited for nothing and got it")
	}
	if agent.Wait(ctx, func(a *datadog.AgentSink) bool { return len(a.Spans()) > 0 }) {
		t.Error("agent: waited for nothing and got it")
	}
}
