// Package conn connects to a Kafka cluster. The consumer and the emitter share its
// settings (addresses, client name, TLS, login) and the kafka-go dialers and
// transports built from them, so that both ends of the topic are secured alike.
//
//	client := conn.NewClient(cfg, conn.NewTransport(cfg))
//
// # Guarantees
//
// Files of certificates, keys and passwords are read for each connection and each
// login. A rotated secret takes effect with the next connection; open connections
// stay open as long as the brokers allow.
//
// Dialers return a connection only after its broker answered a request on it:
// kafka-go uses the first broker that accepts TCP, even one that hangs. A broker
// that did not answer gets a short timeout for a while, as long as there are others.
//
// An error that lasts until someone mends something, such as a wrong password, is an
// [AccessError]: one line with the broker, the mechanism and the user, and what to
// look at. [Config.Explain] also turns Kafka's own error codes into one.
//
// The package opens no connection by itself and starts no goroutine. What it returns
// does so on first use and belongs to the caller.
package conn
