// Package telemetry sends what evalworker found to Datadog: spans through the
// trace agent, metrics through DogStatsD, and the ids that tie log lines to
// spans.
//
//	t, err := telemetry.New(cfg, telemetry.Deps{Log: log, Version: version})
//	...
//	t.Report(report) // after the report's case is stored; never blocks
//	...
//	err = t.Close(ctx)
//
// # What is sent
//
// [Telemetry.Report] makes one eval.run span an event, with an eval.score span
// a verdict below it, and the metrics of [Metrics]. Spans are made when the work
// is over, with the times at which it happened, so an event in flight holds no
// span. eval.run always carries a span link to the span of the original request,
// when the event says which that is. It is also a child of it when the original
// trace was kept and is young: priority above 0 and an age within max_child_age.
// The age of the trace that feedback is about is not known, so it is linked only.
// A link outlives sampling decisions and late arrival; a child shows up in the
// same flame graph. So correlation never depends on the child.
//
// Failing evaluations outlive sampling, up to keep_failures a second: in a trace
// of its own eval.run is kept by hand, and a span sampling rule keeps failing
// eval.score spans of a trace that is dropped.
//
// # Guarantees
//
//   - Nothing here blocks its caller or fails it. Reports wait in a bounded
//     queue; when it is full a report is dropped and counted. So are metrics and
//     traces that an agent does not take. [Telemetry.Stats] shows the counts.
//   - evalworker.events counts every event, also one whose report was dropped.
//   - Content never leaves: no prompt, output, explanation or evidence is read
//     here. Tag values are sanitised and few; NaN and infinity are refused.
//   - Only metrics of the table can be sent: each is a typed constant.
//   - [Telemetry.Close] ends in time, whatever the agent does, and says what it
//     gave up.
//
// # Environment
//
// DD_* variables rule over the file, as in Datadog's libraries: DD_SERVICE,
// DD_ENV, DD_VERSION, DD_TRACE_AGENT_URL, DD_AGENT_HOST with
// DD_TRACE_AGENT_PORT and DD_DOGSTATSD_PORT, DD_DOGSTATSD_URL,
// DD_TRACE_AGENT_TIMEOUT, DD_TRACE_STARTUP_LOGS, DD_SPAN_SAMPLING_RULES and
// DD_INSTRUMENTATION_TELEMETRY_ENABLED. DogStatsD's client puts DD_ENV on every
// metric, so where it is set it is the env of all metrics; leave it unset for a
// worker that reads the events of several environments.
//
// # What it is not
//
// It is no general metrics library, and it is one a process: the tracer of
// dd-trace-go is a process-wide singleton, so [New] refuses to start a second
// Telemetry while the first is open. The tracer's own health and runtime
// metrics are not forwarded; only its drops are, as evalworker.dropped.
package telemetry
