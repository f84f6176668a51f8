// Package components starts real servers for tests: Apache Kafka and PostgreSQL
// in containers, and clusters of brokers that a test may pause and kill.
//
//	func TestMain(m *testing.M) { os.Exit(components.Main(m, components.WithKafka)) }
//
// Main runs a package's tests on the embedded parts, and, when a Docker engine
// answers, once more in a process of its own that is pointed at containers. The
// variables KAFKA_BROKERS and EVALWORKER_TEST_POSTGRES point the same tests at
// servers that already run; then no container is started. Without an engine one
// line says what was not run; with EVALWORKER_TEST_REAL=required that is a
// failure, so that continuous integration cannot skip it in silence.
//
// Nothing but tests imports it.
package components
