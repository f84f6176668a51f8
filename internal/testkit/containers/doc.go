// Package containers starts real servers for tests: Apache Kafka and PostgreSQL
// in containers, and clusters of brokers that a test may pause and kill.
//
//	func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithKafka)) }
//
// Main runs a package's tests on the embedded parts. If a Docker engine answers, it
// then runs the tests that asked for a server with [UseKafka] or [UsePostgres] once
// more, in a separate process that uses containers; if no test asks, it starts
// none. It also looks for leaked goroutines. KAFKA_BROKERS and
// EVALWORKER_TEST_POSTGRES make the same tests use servers that already run; then
// no container is started. Without an engine one line says what was not run; with
// EVALWORKER_TEST_REAL=required that is a failure, so that continuous integration
// cannot skip it silently. Go caches a passing result even if an engine has become
// available since; run with -count=1 then.
//
// Containers are removed even when tests fail or panic, and on SIGINT and SIGTERM.
// After SIGKILL they remain, unless Testcontainers' own reaper is on.
//
// Only tests and the bench import it.
package containers
