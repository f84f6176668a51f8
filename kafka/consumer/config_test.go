package consumer

import (
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/fault"
)

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Config)
		paths  []string
	}{
		{"default", func(*Config) {}, nil},
		{"brokers", func(c *Config) { c.Brokers = nil }, []string{"brokers"}},
		{"no topic", func(c *Config) { c.Topic = "" }, []string{"topic"}},
		{"a topic with spaces", func(c *Config) { c.Topic = "llm requests" }, []string{"topic", "dead_letter_topic"}},
		{"a named dead letter topic", func(c *Config) { c.DeadLetterTopic = "graveyard" }, nil},
		{"dead letters into the topic", func(c *Config) { c.DeadLetterTopic = c.Topic }, []string{"dead_letter_topic"}},
		{"no group", func(c *Config) { c.Group = "" }, []string{"group"}},
		{"unknown words", func(c *Config) { c.Start, c.OutOfRange = "latest", "fail" }, []string{"start", "out_of_range"}},
		{
			"counts", func(c *Config) { c.MaxInFlight, c.Window, c.MaxMessageBytes = 0, 0, 0 },
			[]string{"max_in_flight", "window", "max_message_bytes"},
		},
		{"a window as large as a commit can tell", func(c *Config) { c.Window = maxWindow }, nil},
		{"a larger window", func(c *Config) { c.Window = maxWindow + 1 }, []string{"window"}},
		{"heartbeats too far apart", func(c *Config) { c.HeartbeatInterval = c.SessionTimeout / 2 }, []string{"heartbeat_interval"}},
		{"a drain as long as the session", func(c *Config) { c.RevokeDrain = c.SessionTimeout }, []string{"revoke_drain"}},
		{"an outage shorter than commits", func(c *Config) { c.MaxCommitOutage = c.CommitInterval }, []string{"max_commit_outage"}},
		{"retries that shrink", func(c *Config) { c.RetryMax = c.RetryMin / 2 }, []string{"retry_max"}},
		{"no grace is legal", func(c *Config) { c.Grace = 0 }, nil},
		{"negative grace", func(c *Config) { c.Grace = -time.Second }, []string{"grace"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			tt.change(&cfg)
			faults := cfg.Validate()
			var paths []string
			for _, f := range faults {
				paths = append(paths, f.Path)
				if f.Expected == "" {
					t.Errorf("%s: says nothing of how to mend it", f.Path)
				}
			}
			if diff := cmp.Diff(tt.paths, paths); diff != "" {
				t.Errorf("paths of faults (-want +got):\n%s", diff)
			}
			if _, err := New(cfg, Deps{Handle: new(notebook).Handle}); (err == nil) != (len(tt.paths) == 0) {
				t.Errorf("New: %v", err)
			}
		})
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("New took no handler")
	}
}

// TestConfigKeys: the keys of the file must not change: users have written them.
func TestConfigKeys(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	text := `
brokers: [a:1, b:2]
client_id: me
topic: t
group: g
dead_letter_topic: d
start: last
commit_interval: 50ms
max_in_flight: 7
`
	if err := yaml.UnmarshalWithOptions([]byte(text), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Brokers, want.ClientID, want.Topic, want.Group = []string{"a:1", "b:2"}, "me", "t", "g"
	want.DeadLetterTopic, want.Start, want.CommitInterval, want.MaxInFlight = "d", StartLast, 50*time.Millisecond, 7
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if got := (Config{Topic: "t"}).DeadLetters(); got != "t.dead" {
		t.Errorf("DeadLetters = %q, want t.dead", got)
	}
	if faults := cfg.Validate(); len(faults) > 0 {
		t.Errorf("faults: %v", fault.List(faults))
	}
}
