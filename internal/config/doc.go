// Package config defines the worker's YAML file: its keys, defaults, checks and
// documentation.
//
// [Load] layers defaults, file and environment, in that order, and checks
// everything that can be checked without a network: each part's own settings, that
// evaluators name rubrics, models and schemas that exist, that conditions compile,
// and the rubric and schema files themselves. It returns all faults at once, each
// with its place in the file that holds it.
//
// It only composes: the meaning of a section, its defaults and its limits belong to
// the part that is configured, and so does the description of a key, which is the
// doc tag of its field. A new key is a new field of its part and nothing else.
// [Keys] collects the fields; [Starter] (the files of "evalworker init") and [Doc]
// (docs/configuration.md) are generated from it.
//
// [Watcher] loads the file again when it changes. The policy (evaluators,
// sampling, rubrics, schemas, models) may change while the worker runs; changes of
// other keys are logged and need a restart.
//
// Keys and passwords are of type secret.String or part of URLs; no way of printing
// a configuration shows them.
package config
