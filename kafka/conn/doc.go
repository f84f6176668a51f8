// Package kafkaconn holds what the consumer and the emitter both need to reach
// a Kafka cluster: the addresses, the client's name, TLS and the login, and the
// kafka-go dialers and transport made of them, so that both ends of the topic
// are secured by the same few lines.
//
// Certificates, keys and passwords that stand in files are read for each
// connection and each login. A secret that was rotated counts from the next
// connection on; connections that are open stay open, as the brokers allow.
//
// A connection is given out when its broker has answered a question on it, for
// whoever has a list of brokers takes the first that can be dialled. One that did
// not answer is hurried past for a while, as long as there are others.
//
// A connection that a broker, or this side, will not have until somebody mends
// something ends in a [Refusal]: one line with the broker, the mechanism and the
// user, and what to look at. [Config.Explain] makes one of Kafka's own errors.
//
// It opens no connection by itself and starts no goroutine; what it returns
// does so on first use and belongs to the caller.
package conn
