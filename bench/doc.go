// Bench measures a worker on a real broker, and the emitter and the sidecar on the
// embedded one, and prints ratios: what is compared is measured in one run, in turn,
// because machines differ and are never idle.
//
//	make bench                      # everything but the ten minutes
//	go run ./bench -only consume,judges
//	go run ./bench -only telemetry  # an agent that hangs, and being asked for metrics
//	go run ./bench -only sidecar    # emitter serve, with the embedded broker
//	go run ./bench -only emit       # the emitter beside franz-go's producer, about a minute
//	go run ./bench -only soak       # resident memory after ten minutes of load
//
// The worker's broker is the one that KAFKA_BROKERS names, else Apache Kafka in a
// container. Each reader is this program once more, in a process of its own whose
// CPU time is read from its first event to its last: neither its start nor the
// broker and the publisher are part of it. The worker is the whole one, as
// internal/app wires it, with telemetry to an agent on loopback.
//
// Bench asserts nothing: docs/performance.md has bounds, and what limits each figure.
package main
