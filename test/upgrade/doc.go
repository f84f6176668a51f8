// Package upgrade runs the programs of earlier commits beside this one, in one consumer
// group and on one store, and this one beside a newer one, and counts what is lost, what
// is repeated and what the store holds in the end.
//
//	make upgrade     # or: EVALWORKER_TEST_UPGRADE=1 go test ./test/upgrade -count=1 -v
//
// # Programs
//
//   - Earlier ones are built from commits of this repository ([earlier] in the tests), by
//     git archive into a temporary folder. Where the history does not hold them, as in a
//     shallow clone, the test is skipped with one line, or fails with
//     EVALWORKER_TEST_REAL=required.
//   - This one is the tree as it is.
//   - The next one is this tree with one additive change of tables more, which go build
//     -overlay adds. So this program is proven as the older one.
//
// All builds are of -trimpath, so a second run compiles little.
//
// # Scenarios
//
// Each pair of an older and a newer program goes through the same, on SQLite and on
// PostgreSQL, while events are published: the older one works, the newer one only looks,
// then joins and changes the tables; an older one starts again and is admitted or refused
// as was promised; the newer one gets SIGKILL; the tables are rolled back; the older one
// starts and finishes. On PostgreSQL an older worker is at work all the time. A file has
// one worker at a time, so there they follow one another.
//
// Every event is judged by a model of the test's own, which knows which worker asked, and
// by a rule for half of the events. So of each event it is known how often it was
// evaluated and by whom, which events the store has to hold, and for which of them.
//
// PostgreSQL runs in a container, and so does Apache Kafka with EVALWORKER_TEST_REAL=required;
// else the broker is the embedded one.
package upgrade
