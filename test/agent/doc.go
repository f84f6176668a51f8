// Package agent tests telemetry against Datadog's own trace agent, which runs in the
// test's process: it decodes, normalises, truncates and samples as in production, and
// only the writers that would send traces to Datadog are replaced.
//
// It is a module of its own, because the agent's code brings some 60 modules that the
// worker does not need:
//
//	cd test/agent && go test ./...
//
// What Datadog's backend does with what the agent lets through is not tested here.
package agent
