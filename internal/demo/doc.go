// Package demo runs the whole loop in one process, on embedded parts only: a broker,
// simulated traffic, a model server, a worker and its store.
//
// All parts are real: the emitter publishes events over TCP, the worker is that of
// production, judges make HTTP calls, cases go to SQLite. Only the world is made up
// (package scenario), and so are the judge's opinions unless the environment names a
// model: a script answers from the scenario's own knowledge.
//
// One message in four hundred comes from an old client and cannot be read. It ends as
// a dead letter, so that a demo shows every end that an event can have.
//
// Nothing here knows which prompt version is broken. [Demo.Play] compares what the
// statistics found with what the scenario then reveals.
package demo
