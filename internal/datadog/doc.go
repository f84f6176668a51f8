// Package datadog puts the monitors and dashboards of deploy/datadog into an
// organisation of Datadog.
//
//	files ──Render──► objects ──Compare──► plan ──Apply──► Datadog
//
// [Render] fills in what differs between teams. [Plan] says what would change, and
// [Plan.Apply] does it. What this program has made carries tags by which it is found
// again, and nothing else is touched. [Client] calls the API and serves other commands
// too.
//
// The package uses the core of Datadog's client alone, which signs and sends: its models
// of monitors and dashboards take minutes to compile, and would drop or reorder keys of
// the JSON that is sent here as it lies in the repository.
package datadog
