// Package killtest holds tests that prove the guarantees of package consumer with
// processes that are really killed: three workers, one of which dies by SIGKILL and
// one by SIGTERM, and a broker in a process of its own, or an Apache Kafka when there
// is one. go test -short leaves them out.
package killtest
