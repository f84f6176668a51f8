// Package killtest proves what package stream promises with processes that are
// really killed: three workers, one of which dies by SIGKILL and one by SIGTERM,
// over a broker in a process of its own, and over an Apache Kafka when
// there is one.
//
// It holds tests only; go test -short leaves them out.
package killtest
