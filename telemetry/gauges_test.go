package telemetry_test

import (
	"testing"

	"github.com/evalworker/evalworker/telemetry"
)

// TestBacklog: the two figures of a partition's backlog are told apart, one that is not
// known sets nothing, and events without an end are a number of their own.
func TestBacklog(t *testing.T) {
	s := start(t, nil)
	s.Lag(3, 601, 1)
	s.Lag(4, -1, 7)
	s.Lag(5, 8, -1)
	s.Unaccounted(-2)
	s.end(t)
	for _, tt := range []struct {
		name string
		tags []string
		want []float64
	}{
		{"evalworker.lag", []string{"partition:3"}, []float64{601}},
		{"evalworker.unfinished", []string{"partition:3"}, []float64{1}},
		{"evalworker.lag", []string{"partition:4"}, nil},
		{"evalworker.unfinished", []string{"partition:4"}, []float64{7}},
		{"evalworker.lag", []string{"partition:5"}, []float64{8}},
		{"evalworker.unfinished", []string{"partition:5"}, nil},
		{"evalworker.unaccounted", nil, []float64{-2}},
	} {
		got := s.statsd.Values(tt.name, tt.tags...)
		if len(got) != len(tt.want) || len(got) == 1 && got[0] != tt.want[0] {
			t.Errorf("%s%v = %v, want %v", tt.name, tt.tags, got, tt.want)
		}
	}
}

// TestManyPartitions: the bound of tags from applications does not join partitions.
func TestManyPartitions(t *testing.T) {
	s := start(t, func(c *telemetry.Config) { c.MaxTagValues = 2 })
	for id := range 5 {
		s.Lag(id, int64(id), 0)
	}
	s.end(t)
	if got := s.statsd.Values("evalworker.lag", "partition:4"); len(got) != 1 || got[0] != 4 {
		t.Errorf("lag of partition 4 = %v", got)
	}
}

// TestConfigRefused: the gauge is up while the configuration on disk is refused, and down
// from the start and after one that is applied.
func TestConfigRefused(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reloads []bool
		want    float64
	}{{"started", nil, 0}, {"refused", []bool{true, false}, 1}, {"mended", []bool{false, true}, 0}} {
		s := start(t, nil)
		for _, applied := range tt.reloads {
			s.Reload(applied)
		}
		s.end(t)
		if got := s.statsd.Values("evalworker.config_refused"); len(got) == 0 || got[len(got)-1] != tt.want {
			t.Errorf("%s: evalworker.config_refused = %v, want %v at last", tt.name, got, tt.want)
		}
	}
}
