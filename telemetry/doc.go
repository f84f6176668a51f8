// Package telemetry sends spans to Datadog's trace agent and metrics to DogStatsD, serves
// the same metrics to Prometheus, and adds span ids to log lines.
//
//	t, err := telemetry.New(cfg, telemetry.Deps{Log: log, Version: version})
//	...
//	t.Report(report) // after the report's case is stored; never blocks
//	...
//	err = t.Close(ctx)
//
// # What is sent
//
// [Telemetry.Report] sends an eval.run span for each event, with an eval.score span
// for each verdict below it, and the metrics of [Metrics]. Spans are created when
// the work is over, with its real times, so an event in flight holds no span.
// eval.run carries a span link to the span of the original request when the event
// identifies it. It is also a child of that span when the original trace was kept
// and is young: priority above 0 and an age within max_child_age. The age of the
// trace that feedback refers to is unknown, so feedback is only linked. A link
// survives sampling decisions and late arrival; a child appears in the same flame
// graph. Correlation never depends on the child.
//
// The first request with a new version of a prompt is an event of DogStatsD, which
// dashboards lay over their graphs.
//
// Counts of requests estimate all of them: each event counts 1/p times, where p is the
// probability with which it was evaluated at all.
//
// Failing evaluations survive sampling, up to keep_failures a second: an eval.run
// with its own trace is marked as kept, and a span sampling rule keeps the failing
// eval.score spans of a dropped trace.
//
// # Two sinks
//
// What is recorded goes to DogStatsD when the configuration is enabled, and to
// [Telemetry.ServeMetrics] when [Deps] say so. Either works without the other: without
// Datadog neither the tracer nor its client is started. Names and labels in Prometheus
// follow from the table. Its gauges stay until they are set again, so those of a partition
// that the worker does not have any more are taken away ([Telemetry.Partitions]).
//
// # LLM Observability and Data Streams
//
// With [LLMObservability] verdicts are evaluations of the request's span in LLM
// Observability, too; they wait in a queue of their own. [Telemetry.DataStream] reports
// what is consumed and committed to Data Streams Monitoring. Both are off unless the
// configuration says so.
//
// # Guarantees
//
//   - No call blocks or fails, except Close. Reports wait in a bounded queue; when it
//     is full a report is dropped and counted, as are metrics and traces that an
//     agent does not accept. [Telemetry.Stats] returns the counts.
//   - evalworker.events counts every event, even if its report was dropped.
//   - Content never leaves: no prompt, output or evidence is read, and explanations of
//     judges only if the configuration allows it, redacted.
//     Tag values are sanitised and few; NaN and infinity are dropped.
//   - Only metrics of the table can be sent or served: each is a typed constant.
//   - Values of tags and series of a metric are bounded, for both sinks: those that are in use
//     have places, and what is more is recorded with tags other, so that sums stay exact. The
//     newest version of a prompt has a name. What is not used for hours frees its place, so
//     workers of any age name the same values.
//   - [Telemetry.Close] returns in time even if the agent hangs, and reports what
//     it abandoned.
//
// # Environment
//
// DD_* variables override the file, as in Datadog's libraries: DD_SERVICE, DD_ENV,
// DD_VERSION, DD_TRACE_AGENT_URL, DD_AGENT_HOST with DD_TRACE_AGENT_PORT and
// DD_DOGSTATSD_PORT, DD_DOGSTATSD_URL, DD_TRACE_AGENT_TIMEOUT, DD_TRACE_STARTUP_LOGS,
// DD_SPAN_SAMPLING_RULES, DD_DATA_STREAMS_ENABLED and
// DD_INSTRUMENTATION_TELEMETRY_ENABLED. DogStatsD's client
// puts DD_ENV on every metric, so if it is set it is the env of all metrics; leave it
// unset for a worker that reads the events of several environments.
//
// # What it does not do
//
// It is not a general metrics library. There is only one per process that
// sends to Datadog, because the tracer of dd-trace-go is a process-wide singleton: [New]
// fails while another one is open. Of the tracer's own health metrics only the drops are
// forwarded, as evalworker.dropped.
package telemetry
