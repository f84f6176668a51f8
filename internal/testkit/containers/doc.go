// Package containers starts real servers for tests: Apache Kafka and PostgreSQL
// in containers, and clusters of brokers that a test may pause and kill.
//
//	func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithKafka)) }
//
// Main runs a package's tests on the embedded parts. When a Docker engine answers,
// it then runs those that asked for a server with [UseKafka] or [UsePostgres] once
// more, in a process of its own that is pointed at containers; when no test asks,
// it starts none. It also looks for goroutines left behind. KAFKA_BROKERS and
// EVALWORKER_TEST_POSTGRES point the same tests at servers that already run, and
// then no container is started. Without an engine one line says what was not run;
// with EVALWORKER_TEST_REAL=required that is a failure, so that continuous
// integration cannot skip it in silence. Go caches a good result and does not
// notice that an engine has come: -count=1 does.
//
// Containers are removed also when tests fail or panic, and on SIGINT and SIGTERM.
// After SIGKILL they stay, unless Testcontainers' own reaper is on.
//
// Only tests and the bench import it.
package containers
