// Package lint finds mistakes in the monitors and dashboards of deploy/datadog before
// Datadog does, and those that Datadog would not find at all: a monitor on a metric that
// nobody sends is accepted, and never fires.
//
// [Files] checks a whole folder. Each fault names the file, the place inside it, and the
// mend. What is checked:
//
//   - queries are parsed with the grammar of [parseMonitor] and [parseExpression]: the part
//     of Datadog's language that the files use, so that a missing brace is found;
//   - each metric, tag and tag value of a query exists in the table of [telemetry.Metrics],
//     and is aggregated in a way that its type allows;
//   - queries and formulas refer to each other, and template variables are declared and used;
//   - thresholds agree between query, options and dashboards, and stand in their order;
//   - messages have balanced blocks, variables that the monitor has, recipients and a runbook;
//   - queries that runbooks, messages and notes show, and those of Terraform's objectives, are
//     right as well;
//   - widgets lie inside the grid and on no other widget;
//   - placeholders are those that Terraform and the program fill in;
//   - no key makes Terraform change an object for ever, and none is deprecated.
//
// Field names and their values are checked against Datadog's own types by test/datadog,
// a module of its own.
package lint
