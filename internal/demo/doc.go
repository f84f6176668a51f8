// Package demo is the whole loop in one process, on nothing but embedded parts:
// a broker, simulated traffic, a model server, a worker and its store.
//
// All of it is real: events are published by the emitter over TCP, the worker is
// the one that runs in production, judges make HTTP calls, cases go to SQLite.
// Only the world is made up (package scenario), and, unless a model is at hand,
// the judge's opinions, which a script answers from the scenario's own knowledge.
//
// One message in four hundred is that of an old client, which no worker can read:
// it ends as a dead letter, so that a demo shows every end that an event can have.
//
// Nothing here knows which prompt version is broken. [Demo.Play] compares what
// the statistics found with what the scenario then admits.
package demo
