// Package field_test holds what the field brought up: small events in the shapes in
// which other people's applications and providers write them, each with the verdicts
// that are right. The rows stand in testdata, one event a line with two members of
// its own: "case" says what it is, and "want" maps evaluators of
// testdata/evalworker.yaml to their outcome and label, such as "fail/refused". For a
// line that is not an event, "want" holds the reason of its dead letter under
// "dead_letter". The rows are events, so the program reads them too:
//
//	evalworker eval test/field/testdata/shapes.ndjson --config test/field/testdata/evalworker.yaml --labels want
//
// In sensitive.ndjson, {{token NAME}} stands for something that looks like a secret.
// Tests put one in, from the table in tokens_test.go; eval reads the rows as they
// stand, so that their verdicts about secrets differ from those that are right.
//
// The rows run through the pipeline that the command eval runs.
package field_test
