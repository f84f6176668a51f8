package telemetry

import (
	"slices"
	"testing"
	"time"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	file := Config{AgentURL: "http://file:1", DogStatsDURL: "file:2", Service: "svc-file", Env: "env-file", Version: "v-file"}
	type want struct{ agent, statsd, service, env, version string }
	tests := []struct {
		name    string
		cfg     Config
		env     map[string]string
		sockets []string
		want    want
	}{
		{"nothing said", Config{}, nil, nil, want{"http://localhost:8126", "localhost:8125", "evalworker", "", "program"}},
		{"sockets found", Config{}, nil, []string{traceSocket, statsdSocket}, want{"unix:///var/run/datadog/apm.socket", "unix:///var/run/datadog/dsd.socket", "evalworker", "", "program"}},
		{"file before sockets", file, nil, []string{traceSocket, statsdSocket}, want{"http://file:1", "file:2", "svc-file", "env-file", "v-file"}},
		{"host before file", file, map[string]string{"DD_AGENT_HOST": "node"}, nil, want{"http://node:8126", "node:8125", "svc-file", "env-file", "v-file"}},
		{"ports alone", file, map[string]string{"DD_TRACE_AGENT_PORT": "9", "DD_DOGSTATSD_PORT": "10"}, nil, want{"http://localhost:9", "localhost:10", "svc-file", "env-file", "v-file"}},
		{"IPv6 host", Config{}, map[string]string{"DD_AGENT_HOST": "::1"}, nil, want{"http://[::1]:8126", "[::1]:8125", "evalworker", "", "program"}},
		{
			"URLs before host", file,
			map[string]string{"DD_AGENT_HOST": "node", "DD_TRACE_AGENT_URL": "unix:///a", "DD_DOGSTATSD_URL": "unix:///d"},
			nil,
			want{"unix:///a", "unix:///d", "svc-file", "env-file", "v-file"},
		},
		{
			"URLs that are none fall through", file,
			map[string]string{"DD_TRACE_AGENT_URL": "gopher://x", "DD_DOGSTATSD_URL": "http://x/y"},
			nil,
			want{"http://file:1", "file:2", "svc-file", "env-file", "v-file"},
		},
		{"names", file, map[string]string{"DD_SERVICE": "s", "DD_ENV": "e", "DD_VERSION": "v"}, nil, want{"http://file:1", "file:2", "s", "e", "v"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to := resolve(tt.cfg, "program", machine{
				getenv: func(name string) string { return tt.env[name] },
				exists: func(path string) bool { return slices.Contains(tt.sockets, path) },
			})
			if got := (want{to.agent.String(), to.statsd, to.service, to.env, to.version}); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if to.envTag != (tt.env["DD_ENV"] != "") || to.serviceTag != (tt.env["DD_SERVICE"] != "") || to.versionTag != (tt.env["DD_VERSION"] != "") {
				t.Errorf("tags of the client: %+v", to)
			}
		})
	}
}

// TestResolveTracerSettings: what the environment says about the tracer is left
// to it.
func TestResolveTracerSettings(t *testing.T) {
	t.Parallel()
	resolveWith := func(env map[string]string) target {
		return resolve(Config{}, "", machine{getenv: func(n string) string { return env[n] }, exists: func(string) bool { return false }})
	}
	to := resolveWith(nil)
	if to.timeout != 2*time.Second || to.ownStartupLogs || to.ownSpanRules || to.libraryTelemetry {
		t.Errorf("without an environment: %+v", to)
	}
	to = resolveWith(map[string]string{
		"DD_TRACE_AGENT_TIMEOUT": "7", "DD_TRACE_STARTUP_LOGS": "true", "DD_SPAN_SAMPLING_RULES": "[]", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "true",
	})
	if to.timeout != 7*time.Second || !to.ownStartupLogs || !to.ownSpanRules || !to.libraryTelemetry {
		t.Errorf("with an environment: %+v", to)
	}
}

func TestStatsdAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"host:1": "host:1", "host": "host:8125", "udp://host:1": "host:1", "udp://host": "host:8125", "127.0.0.1:1": "127.0.0.1:1",
		"[::1]:1": "[::1]:1", "[::1]": "[::1]:8125", "::1": "[::1]:8125", "unix:///a": "unix:///a", "unixgram:///a": "unixgram:///a",
		"unixstream:///a": "unixstream:///a",
		"":                "", "unix://": "", "http://host": "", ":8125": "", "host:": "", "a:b:c": "",
	} {
		got, ok := statsdAddress(in)
		if ok != (want != "") || ok && got != want {
			t.Errorf("statsdAddress(%q) = %q, %t; want %q", in, got, ok, want)
		}
	}
}
