// Package evaltest is what tests of several packages share: the contract of
// evaluators, and the receiving ends of Datadog.
//
//	conformance.Evaluator(t, build, samples) // holds an evaluator to eval.Evaluator
//
//	agent, statsd := datadog.Agent(t), datadog.StatsD(t)
//	cfg.AgentURL, cfg.DogStatsDURL = agent.URL, statsd.Address
//	...
//	run := agent.Named("eval.run")[0]
//	n := statsd.Sum("llm.eval.count", "eval:correctness", "outcome:fail")
//
// The sinks speak the wire: [AgentSink] takes what an unchanged tracer sends, and
// [StatsDSink] believes nothing: a line that an agent would drop, or read
// otherwise than it was meant, fails the test. Both run on the loopback interface
// and end with the test that started them. What a worker has sent is there after
// it was closed and [StatsDSink.Drain] has returned; to see it earlier, Wait.
//
// [Canary] is a word that stands for content. Tests plant it where content is and
// look for it where content must not go.
//
// It is for tests alone: everything takes a testing.TB, and a fault of what is
// tested fails the test instead of coming back as an error. A fake model server is
// in internal/demo/modelserver, a broker in internal/demo/broker.
package conformance
