// Package datadog is the receiving end of Datadog for tests: [API], which keeps monitors
// and dashboards, and a trace agent and a
// DogStatsD server that keep everything they receive.
//
//	agent, statsd := datadog.Agent(t), datadog.StatsD(t)
//	cfg.AgentURL, cfg.DogStatsDURL = agent.URL, statsd.Address
//	...
//	run := agent.Named("eval.run")[0]
//	n := statsd.Sum("llm.eval.count", "eval:correctness", "outcome:fail")
//
// Both speak the wire protocol: [AgentSink] accepts the requests of an unchanged
// tracer, and [StatsDSink] fails the test for a line that an agent would drop or
// misread. They listen on loopback or a socket and end with the test that started
// them. Everything that a worker has sent has arrived once the worker is closed and
// [StatsDSink.Drain] has returned; to see it earlier, use Wait.
//
// Only tests and the bench import it. It does not aggregate, and it supports
// neither events nor service checks.
package datadog
