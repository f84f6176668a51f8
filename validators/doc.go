// Package validators evaluates answers without a model: by JSON Schema and by
// rule. A validator is deterministic, takes microseconds and uses no network.
//
//	schemas, faults := validators.LoadSchemas("schemas/")
//	...
//	v, err := validators.New(validators.Config{Name: "reply_format", Type: "json_schema", Schema: "support_reply"}, schemas)
//	...
//	verdict, err := v.Evaluate(ctx, event)
//
// [Kinds] lists the kinds with their options; one file holds one kind.
//
// # Guarantees
//
// The same configuration and the same event always get the same verdict, down to
// the reason. The version changes with the kind's algorithm, with its options and with
// the schemas that it uses, and with nothing else: an option that is added for one
// kind leaves the versions of all others as they are.
//
// A verdict holds no content. A reason names a keyword and a place, a bound, or the
// place of a phrase in the configuration. A place shows only names that the schema
// defines; any other key, and every index, is *. A reason is bounded.
//
// A missing field is [eval.OutcomeNotApplicable] and names the field. An absent
// output is missing; an empty one is not, it fails. On an event that was published
// without its content every kind that reads content is not applicable, and says so. What a validator does not
// recognise it does not guess: the outcome is [eval.OutcomeCannotJudge] with the
// reason, and neither a pass nor a fail.
//
// Every answer takes time linear in the output, whatever it holds: patterns are
// RE2, JSON is found in prose under a budget of work, and validation against a
// schema that could multiply work, or repeat much in its failures, is metered.
//
// Texts are compared in Unicode's form NFKC, without invisible characters and with
// plain quotes and hyphens, by contains, equals, citations and groundedness. regex
// searches the output as it stands.
//
// # JSON and schemas
//
// The output as it stands has to be strict JSON (RFC 8259), because a strict
// consumer would break on anything else. A duplicate key, or a number beyond the
// range of a double, fails as well: consumers disagree on what it means. Nothing is
// repaired; only a byte order mark in front is ignored, as RFC 8259 allows. The labels
// of json_schema are invalid_schema (JSON that the schema rejects), wrapped (JSON
// beside something that a parser refuses: prose, a code fence, a control token),
// truncated (JSON that ends too early) and invalid_json.
//
// A file may be a compound document: schemas inside of it that have an $id are found
// by their URIs, from this file and from others. References stay inside the schema
// folder: no network, no absolute path, no way out by .. or by a symbolic link. The
// tools of an event bring schemas of their own; those may refer to nothing but
// themselves and are bounded in size. What has no meaning in the drafts known here is
// left out of them, or translated, and the reason of a verdict says so.
//
// # What it does not do
//
// It does not judge meaning: groundedness counts words, refusal knows sentences. It
// does not sample, report or store.
package validators
