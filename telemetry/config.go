package telemetry

import (
	"cmp"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Config says where telemetry goes. The DD_* environment variables override it, as
// in Datadog's libraries.
type Config struct {
	Enabled        bool          `yaml:"enabled" doc:"Send spans and metrics to Datadog; health.metrics serves the metrics without it."`
	AgentURL       string        `yaml:"agent_url" doc:"Trace agent, http://host:8126 or unix:///path; empty: found automatically."`
	DogStatsDURL   string        `yaml:"dogstatsd_url" doc:"DogStatsD, host:8125 or unix:///path; empty: found automatically."`
	Service        string        `yaml:"service" doc:"Service name; DD_SERVICE wins."`
	Env            string        `yaml:"env" doc:"Environment of the worker's own metrics, and of events that name none; DD_ENV wins."`
	Version        string        `yaml:"version" doc:"Version; DD_VERSION wins; empty: this program's."`
	MaxChildAge    time.Duration `yaml:"max_child_age" doc:"Age up to which an event's score joins the original trace; older ones are linked to it."`
	KeepFailures   float64       `yaml:"keep_failures" doc:"Failing traces kept a second, whatever the trace sampling says."`
	RequestMetrics bool          `yaml:"request_metrics" doc:"Also send llm.requests, llm.latency_ms and the like, for apps that do not."`
	MaxTagValues   int           `yaml:"max_tag_values" doc:"Distinct values of one tag that are in use; more become other."`
	MaxSeries      int           `yaml:"max_series" doc:"Series of one metric that are in use; more are recorded with tags other."`
	Queue          int           `yaml:"queue" doc:"Reports that wait to be sent; more are dropped and counted."`
	CloseTimeout   time.Duration `yaml:"close_timeout" doc:"Time to send the last reports at shutdown."`
	DataStreams    bool          `yaml:"data_streams" doc:"Report each message read and each commit to Data Streams Monitoring; DD_DATA_STREAMS_ENABLED wins."`

	LLMObservability LLMObservability `yaml:"llm_observability" doc:"Evaluations for Datadog LLM Observability."`
}

// DefaultConfig returns the defaults: enabled, with the addresses of the DD_*
// variables or of a local agent. MaxChildAge stays below the 15 minutes for which
// Datadog searches live traces.
func DefaultConfig() Config {
	return Config{
		Enabled:      true,
		Service:      "evalworker",
		MaxChildAge:  10 * time.Minute,
		KeepFailures: 10,
		MaxTagValues: 200,
		MaxSeries:    2000,
		Queue:        4096,
		CloseTimeout: 5 * time.Second,

		LLMObservability: defaultLLMObservability(),
	}
}

// Validate returns all faults of the configuration. Paths are relative to it.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.AgentURL != "" {
		u, err := url.Parse(c.AgentURL)
		switch {
		case err != nil:
			fs.Add("agent_url", "not a URL", "write http://host:8126 or unix:///path/to/apm.socket")
		case u.Scheme == "unix" && u.Path == "", (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "":
			fs.Add("agent_url", "no host or path in "+quote(c.AgentURL), "write http://host:8126 or unix:///path/to/apm.socket")
		case u.Scheme != "unix" && u.Scheme != "http" && u.Scheme != "https":
			fs.Add("agent_url", "scheme of "+quote(c.AgentURL)+" is not known", "write http://host:8126 or unix:///path/to/apm.socket")
		}
	}
	if c.DogStatsDURL != "" {
		if _, ok := statsdAddress(c.DogStatsDURL); !ok {
			fs.Add("dogstatsd_url", "no address in "+quote(c.DogStatsDURL), "write host:8125 or unix:///path/to/dsd.socket")
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
	if c.MaxSeries < 100 || c.MaxSeries > 100_000 {
		fs.Add("max_series", "is out of range", "write a number from 100 to 100000")
	}
	if c.Queue < 1 || c.Queue > 1_000_000 {
		fs.Add("queue", "is out of range", "write a number of reports from 1 to 1000000")
	}
	if c.CloseTimeout <= 0 {
		fs.Add("close_timeout", "is not positive", "write a duration such as 5s")
	}
	fs.Under("llm_observability", c.LLMObservability.validate())
	return fs
}

// statsdAddress returns an address in the form that the DogStatsD client accepts.
// It also parses udp://host:port and a host without a port.
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

func quote(s string) string { return `"` + s + `"` }

const (
	defaultTracePort  = "8126"
	defaultStatsdPort = "8125"
	traceSocket       = "/var/run/datadog/apm.socket"
	statsdSocket      = "/var/run/datadog/dsd.socket"
)

// machine is the access of New to the environment and the file system.
type machine struct {
	getenv func(string) string
	exists func(path string) bool
}

// target holds the addresses and names for telemetry, resolved from environment,
// file and defaults.
type target struct {
	agent   *url.URL // trace agent
	statsd  string   // in the form that the DogStatsD client accepts
	service string
	env     string
	version string
	// envTag, serviceTag and versionTag say that the environment sets the tag, so
	// that the DogStatsD client adds it to every metric on its own.
	envTag, serviceTag, versionTag bool
	// ownStartupLogs, ownSpanRules and libraryTelemetry say that the environment
	// sets the tracer's option of that name.
	ownStartupLogs, ownSpanRules, libraryTelemetry bool
	dataStreams                                    bool
	timeout                                        time.Duration // of one request to the trace agent
}

// resolve prefers the environment to the file, and the file to the sockets that
// exist on the machine.
func resolve(cfg Config, version string, s machine) target {
	t := target{
		agent:            agentURL(cfg, s),
		statsd:           statsdURL(cfg, s),
		service:          cmp.Or(s.getenv("DD_SERVICE"), cfg.Service, "evalworker"),
		env:              cmp.Or(s.getenv("DD_ENV"), cfg.Env),
		version:          cmp.Or(s.getenv("DD_VERSION"), cfg.Version, version),
		envTag:           s.getenv("DD_ENV") != "",
		serviceTag:       s.getenv("DD_SERVICE") != "",
		versionTag:       s.getenv("DD_VERSION") != "",
		timeout:          agentTimeout,
		ownStartupLogs:   s.getenv("DD_TRACE_STARTUP_LOGS") != "",
		ownSpanRules:     s.getenv("DD_SPAN_SAMPLING_RULES") != "" || s.getenv("DD_SPAN_SAMPLING_RULES_FILE") != "",
		libraryTelemetry: isTrue(s.getenv("DD_INSTRUMENTATION_TELEMETRY_ENABLED")),
		dataStreams:      cfg.DataStreams,
	}
	if own := s.getenv(dataStreamsVariable); own != "" {
		t.dataStreams = isTrue(own)
	}
	if n, err := strconv.Atoi(s.getenv("DD_TRACE_AGENT_TIMEOUT")); err == nil && n > 0 {
		t.timeout = time.Duration(n) * time.Second
	}
	return t
}

func agentURL(cfg Config, s machine) *url.URL {
	for _, raw := range []string{s.getenv("DD_TRACE_AGENT_URL"), hostURL(s), cfg.AgentURL} {
		if u, err := url.Parse(raw); err == nil && (u.Scheme == "unix" && u.Path != "" || (u.Scheme == "http" || u.Scheme == "https") && u.Host != "") {
			return u
		}
	}
	if s.exists(traceSocket) {
		return &url.URL{Scheme: "unix", Path: traceSocket}
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", defaultTracePort)}
}

// hostURL returns the agent's URL from DD_AGENT_HOST and DD_TRACE_AGENT_PORT; empty
// when neither is set.
func hostURL(s machine) string {
	host, port := s.getenv("DD_AGENT_HOST"), s.getenv("DD_TRACE_AGENT_PORT")
	if host == "" && port == "" {
		return ""
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, "localhost"), cmp.Or(port, defaultTracePort))
}

func statsdURL(cfg Config, s machine) string {
	if addr, ok := statsdAddress(s.getenv("DD_DOGSTATSD_URL")); ok {
		return addr
	}
	if host, port := s.getenv("DD_AGENT_HOST"), s.getenv("DD_DOGSTATSD_PORT"); host != "" || port != "" {
		return net.JoinHostPort(cmp.Or(host, "localhost"), cmp.Or(port, defaultStatsdPort))
	}
	if addr, ok := statsdAddress(cfg.DogStatsDURL); ok {
		return addr
	}
	if s.exists(statsdSocket) {
		return "unix://" + statsdSocket
	}
	return net.JoinHostPort("localhost", defaultStatsdPort)
}

func isTrue(s string) bool { return s == "1" || s == "t" || s == "true" || s == "TRUE" || s == "True" }
