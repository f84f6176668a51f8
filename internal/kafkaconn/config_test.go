package kafkaconn

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Config)
		paths  []string
	}{
		{"default", func(*Config) {}, nil},
		{"no brokers", func(c *Config) { c.Brokers = nil }, []string{"brokers"}},
		{"no port", func(c *Config) { c.Brokers = []string{"a:9092", "b"} }, []string{"brokers[1]"}},
		{"no host", func(c *Config) { c.Brokers = []string{":9092"} }, []string{"brokers[0]"}},
		{"port out of range", func(c *Config) { c.Brokers = []string{"a:70000"} }, []string{"brokers[0]"}},
		{"IPv6", func(c *Config) { c.Brokers = []string{"[::1]:9092"} }, nil},
		{"all at once", func(c *Config) { c.Brokers = []string{"x"}; c.DialTimeout = -time.Second }, []string{"brokers[0]", "dial_timeout"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			tt.change(&cfg)
			var paths []string
			for _, f := range cfg.Validate() {
				paths = append(paths, f.Path)
				if f.Expected == "" {
					t.Errorf("%s: says nothing of how to mend it", f.Path)
				}
			}
			if diff := cmp.Diff(tt.paths, paths); diff != "" {
				t.Errorf("paths of faults (-want +got):\n%s", diff)
			}
		})
	}
}
