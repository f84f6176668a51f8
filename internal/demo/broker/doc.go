// Package broker runs a Kafka broker inside the process, for the demo and for
// tests. It speaks the Kafka protocol over TCP on the loopback interface, so the
// worker and the emitter talk to it exactly as to a cluster.
//
//	b, err := broker.Start(broker.Config{Topics: map[string]int32{"llm.requests.completed": 8}})
//	if err != nil {
//		return err
//	}
//	defer b.Close()
//	cfg.Kafka.Brokers = []string{b.Addr()}
//
// It keeps everything in memory unless it has a folder, and is not meant for
// production. It answers an offset commit in microseconds, where Apache Kafka takes
// milliseconds, so it is of no use for measuring the cost of commits.
package broker
