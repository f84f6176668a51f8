package telemetry

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"time"
)

const (
	defaultTracePort  = "8126"
	defaultStatsdPort = "8125"
	traceSocket       = "/var/run/datadog/apm.socket"
	statsdSocket      = "/var/run/datadog/dsd.socket"
)

// machine is what New reads of the environment and the file system.
type machine struct {
	getenv func(string) string
	exists func(path string) bool
}

// target is where telemetry goes and under which names, resolved from environment,
// file and defaults.
type target struct {
	agent   *url.URL // trace agent
	statsd  string   // in the form that the DogStatsD client takes
	service string
	env     string
	version string
	// envTag, serviceTag and versionTag say that the environment sets the tag, so
	// that the DogStatsD client adds it to every metric by itself.
	envTag, serviceTag, versionTag bool
	// ownStartupLogs, ownSpanRules and libraryTelemetry say that the environment
	// sets the tracer's option of that name.
	ownStartupLogs, ownSpanRules, libraryTelemetry bool
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

// hostURL returns the agent of DD_AGENT_HOST and DD_TRACE_AGENT_PORT; empty when
// neither is set.
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
