// Package kafkaconn holds what the consumer and the emitter both need to reach
// a Kafka cluster: the addresses, the client's name and the dial timeout, and
// the kafka-go dialers and transport made of them. TLS and SASL belong here as
// well, so that both ends of the topic are secured by the same few lines.
//
// It opens no connection by itself and starts no goroutine; what it returns
// does so on first use and belongs to the caller.
package kafkaconn
