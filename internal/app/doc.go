// Package app is the worker as a package: wiring and lifecycle.
//
// [New] wires the parts in one straight function that reads from top to bottom.
// [App.Run] consumes until its context ends, then stops in order: not ready,
// stop fetching, drain, commit, leave, flush telemetry, close the store, close
// the health server. Everything that New opened is closed by name, last in
// first out, under one time limit, also when New fails half way. [NewOffline] wires
// the same pipeline without Kafka and telemetry.
//
// A test can start and stop any number of workers in one process, on port 0 and
// an embedded broker, with one exception: spans go through dd-trace-go's
// tracer, and a process has only one.
package app
