// Package demo runs the whole loop in one process, on embedded parts only: a broker,
// simulated traffic, a model server, a worker and its store.
//
// All parts are real: the emitter publishes events over TCP, the worker is the
// production worker, judges make HTTP calls, cases go to SQLite. Only the world is
// simulated (package scenario), and so are the judge's verdicts unless the
// environment names a model: a script answers from the scenario's own knowledge.
//
// One message in four hundred comes from an old client and cannot be read. It
// becomes a dead letter, so that a demo shows every way in which an event can end.
//
// Nothing here knows which prompt version is broken. [Demo.Play] compares the
// findings of the statistics with the truth, which the scenario reveals afterwards.
package demo
