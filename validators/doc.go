// Package validators evaluates answers without a model: by JSON Schema and by
// rule. A validator is deterministic, takes microseconds and uses no network.
//
//	schemas, faults := validators.LoadSchemas("schemas/")
//	...
//	v, err := validators.New(validators.Config{Name: "reply_format", Type: "json_schema", Schema: "support_reply"}, schemas)
//	...
//	verdict, err := v.Evaluate(ctx, event)
//
// [Kinds] lists the kinds with their options. One file holds one kind.
//
// # Guarantees
//
// The same configuration and the same event always give the same verdict, down to
// the reason. [eval.Evaluator] Version changes with the kind's algorithm, its
// options and the schemas that it uses, and with nothing else.
//
// No content in a verdict. A reason names a keyword and a place, a bound, or the
// place of a phrase in the configuration. Of a place only names that the schema
// defines are shown; any other key, and every index, is *. A reason is bounded.
//
// A missing field is [eval.OutcomeNotApplicable] and names the field. An absent
// output is missing; an empty one is not, it fails.
//
// Every answer takes time linear in the output, whatever stands in it: patterns
// are RE2, JSON is found in prose under a budget of work, and validation against
// a schema that could multiply work, or repeat much in its failures, is metered.
//
// # JSON
//
// The output as it stands has to be strict JSON (RFC 8259), because a strict
// consumer would break on anything else. The labels of json_schema tell apart what
// went wrong: invalid_schema (JSON that the schema refuses), wrapped (JSON inside
// prose or a code fence), truncated (JSON that ends too early) and invalid_json.
// Nothing is ever repaired. An object that has the same key twice, or a number
// beyond the range of a double, is refused as well: consumers disagree on what it
// means.
//
// # Schemas
//
// References stay inside the schema folder: no network, no absolute path, no way
// out by .. or by a symbolic link. The tools of an event bring schemas of their
// own; those may refer to nothing but themselves and are bounded in size.
//
// # What this package does not do
//
// It does not judge meaning: groundedness counts words, refusal knows
// phrases. It does not sample, report or store.
package validators
