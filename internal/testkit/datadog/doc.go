// Package datadog is the receiving end of Datadog for tests: a trace agent and a
// DogStatsD server that keep what they receive.
//
//	agent, statsd := datadog.Agent(t), datadog.StatsD(t)
//	cfg.AgentURL, cfg.DogStatsDURL = agent.URL, statsd.Address
//	...
//	run := agent.Named("eval.run")[0]
//	n := statsd.Sum("llm.eval.count", "eval:correctness", "outcome:fail")
//
// Both speak the wire protocol: [AgentSink] takes what an unchanged tracer sends,
// and [StatsDSink] fails the test for a line that an agent would drop, or read
// otherwise than it was meant. They listen on loopback or a socket and end with the
// test that started them. Everything that a worker has sent is there once it was
// closed and [StatsDSink.Drain] has returned; to see it earlier, use Wait.
//
// Only tests and the bench import it. It does not aggregate, and it knows neither
// events nor service checks.
package datadog
