// Package config is the worker's YAML file: its shape, defaults, checks and
// documentation.
//
// [Load] puts defaults, file and environment on top of each other, in that order,
// and checks everything that can be checked without a network: each part's own
// settings, that evaluators name rubrics, models and schemas that exist, that
// conditions compile, and the rubric and schema files themselves. It returns all
// faults at once, each with its place in the file that holds it.
//
// It only composes: what a section means, its defaults and its limits belong to
// the part that is configured. So does what a key is for: it stands in the doc tag
// of the field, and a new key is a new field of its part and nothing else. [Keys]
// collects the fields; [Starter] (what "evalworker init" writes) and [Doc]
// (docs/configuration.md) are made from it.
//
// [Watcher] loads the file again when it changes. The policy (evaluators,
// sampling, rubrics, schemas, models) may change while the worker runs; changes of
// other keys are logged and need a restart.
//
// Keys and passwords are of type secret.String or stand in URLs; however a
// configuration is printed, they are not shown.
package config
