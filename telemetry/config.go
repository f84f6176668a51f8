package telemetry

import (
	"math"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Config says where telemetry goes. The DD_* environment variables rule over
// it, as everywhere else in Datadog's libraries.
type Config struct {
	Enabled        bool          `yaml:"enabled" doc:"Send spans and metrics."`
	AgentURL       string        `yaml:"agent_url" doc:"Trace agent, http://host:8126 or unix:///path; empty: found by itself."`
	DogStatsDURL   string        `yaml:"dogstatsd_url" doc:"DogStatsD, host:8125 or unix:///path; empty: found by itself."`
	Service        string        `yaml:"service" doc:"Service name; DD_SERVICE wins."`
	Env            string        `yaml:"env" doc:"Environment; DD_ENV wins."`
	Version        string        `yaml:"version" doc:"Version; DD_VERSION wins; empty: this program's."`
	MaxChildAge    time.Duration `yaml:"max_child_age" doc:"Age up to which an event's score joins the original trace; older ones are linked to it."`
	KeepFailures   float64       `yaml:"keep_failures" doc:"Failing traces kept a second, whatever the trace sampling says."`
	RequestMetrics bool          `yaml:"request_metrics" doc:"Also send llm.requests, llm.latency_ms and the like, for apps that do not."`
	MaxTagValues   int           `yaml:"max_tag_values" doc:"Distinct values of one tag; more become other."`
	Queue          int           `yaml:"queue" doc:"Reports that wait to be sent; more are dropped and counted."`
	CloseTimeout   time.Duration `yaml:"close_timeout" doc:"Time for the last reports to leave at the end."`
}

// DefaultConfig gives the defaults: on, with the addresses that the DD_*
// variables or a local agent give. MaxChildAge stays below the 15 minutes for
// which Datadog searches live traces.
func DefaultConfig() Config {
	return Config{
		Enabled:      true,
		Service:      "evalworker",
		MaxChildAge:  10 * time.Minute,
		KeepFailures: 10,
		MaxTagValues: 200,
		Queue:        4096,
		CloseTimeout: 5 * time.Second,
	}
}

// Validate gives all faults of the configuration. Paths are relative to it.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.AgentURL != "" {
		u, err := url.Parse(c.AgentURL)
		switch {
		case err != nil:
			fs.Add("agent_url", "not a URL", "write http://host:8126 or unix:///path/to/apm.socket")
		case u.Scheme == "unix" && u.Path == "", (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "":
			fs.Add("agent_url", "no host or path in "+quoted(c.AgentURL), "write http://host:8126 or unix:///path/to/apm.socket")
		case u.Scheme != "unix" && u.Scheme != "http" && u.Scheme != "https":
			fs.Add("agent_url", "scheme of "+quoted(c.AgentURL)+" is not known", "write http://host:8126 or unix:///path/to/apm.socket")
		}
	}
	if c.DogStatsDURL != "" {
		if _, ok := statsdAddress(c.DogStatsDURL); !ok {
			fs.Add("dogstatsd_url", "no address in "+quoted(c.DogStatsDURL), "write host:8125 or unix:///path/to/dsd.socket")
		}
	}
	if c.MaxChildAge < 0 {
		fs.Add("max_child_age", "is negative", "write a duration such as 10m; 0 makes links only")
	}
	if c.KeepFailures < 0 || math.IsNaN(c.KeepFailures) || math.IsInf(c.KeepFailures, 0) {
		fs.Add("keep_failures", "is no rate", "write failing traces a second, such as 10; 0 keeps none beyond sampling")
	}
	if c.MaxTagValues < 1 || c.MaxTagValues > 100_000 {
		fs.Add("max_tag_values", "is out of range", "write a number from 1 to 100000")
	}
	if c.Queue < 1 || c.Queue > 1_000_000 {
		fs.Add("queue", "is out of range", "write a number of reports from 1 to 1000000")
	}
	if c.CloseTimeout <= 0 {
		fs.Add("close_timeout", "is not positive", "write a duration such as 5s")
	}
	return fs
}

// statsdAddress gives an address in the form that the DogStatsD client takes.
// Beside its own forms it takes udp://host:port and a host without a port.
func statsdAddress(s string) (string, bool) {
	for _, scheme := range []string{"unix://", "unixgram://", "unixstream://"} {
		if path, ok := strings.CutPrefix(s, scheme); ok {
			return s, strings.HasPrefix(path, "/")
		}
	}
	s = strings.TrimPrefix(s, "udp://")
	if s == "" || strings.ContainsAny(s, "/@?#") {
		return "", false
	}
	if host, port, err := net.SplitHostPort(s); err == nil {
		return s, host != "" && port != ""
	}
	if strings.Count(s, ":") > 1 || strings.HasPrefix(s, "[") { // an IPv6 address without a port
		s = strings.Trim(s, "[]")
		return net.JoinHostPort(s, defaultStatsdPort), net.ParseIP(s) != nil
	}
	return net.JoinHostPort(s, defaultStatsdPort), !strings.Contains(s, ":")
}

func quoted(s string) string { return `"` + s + `"` }
