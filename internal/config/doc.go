// Package config is the worker's YAML file: its shape, defaults, checks and
// documentation.
//
// [Load] puts defaults, file and environment on top of each other, in that order,
// and checks everything that can be checked without a network: each part's own
// settings, that evaluators name rubrics, models and schemas that exist, that
// conditions compile, and the rubric and schema files themselves. It gives all
// faults at once, each with its place in the file that holds it.
//
// It only composes: what a section means, its defaults and its limits belong to
// the part that is configured.
//
// [Keys] is the table behind [Starter] (what "evalworker init" writes) and [Doc]
// (docs/configuration.md). A test holds that the table and the Go types agree.
//
// [Watcher] loads the file again when it changes. Evaluators, sampling, rubrics,
// schemas and models may change while the worker runs; of other keys it says
// that they need a restart.
//
// Keys and passwords are of type secret.String or stand in URLs; no way of
// printing a configuration shows them.
package config
