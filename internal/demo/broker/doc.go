// Package devbroker is a Kafka broker inside the process, for the demo and for
// tests: it speaks the Kafka protocol over TCP on the loopback interface, so
// that the worker and the emitter talk to it exactly as to a cluster.
//
// It keeps everything in memory and is not meant for production. It answers an
// offset commit in microseconds, where Apache Kafka takes milliseconds: right
// for a demo, wrong for measuring what a commit costs.
//
//	broker, err := broker.Start(broker.Config{Topics: map[string]int32{"llm.requests.completed": 8}})
//	if err != nil {
//		return err
//	}
//	defer broker.Close()
//	cfg.Kafka.Brokers = []string{broker.Addr()}
package broker
