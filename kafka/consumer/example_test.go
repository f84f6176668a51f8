package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/kafka/consumer"
)

func ExampleConsumer_Run() {
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{"events": 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	transport := new(kafka.Transport)
	defer transport.CloseIdleConnections()
	writer := &kafka.Writer{Addr: kafka.TCP(broker.Addr()), Topic: "events", RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: transport}
	defer writer.Close()
	if err := writer.WriteMessages(context.Background(), kafka.Message{Value: []byte("hello")}); err != nil {
		fmt.Println(err)
		return
	}

	cfg := consumer.DefaultConfig()
	cfg.Brokers, cfg.Topic = []string{broker.Addr()}, "events"
	ctx, stop := context.WithCancel(context.Background())
	consumer, err := consumer.New(cfg, consumer.Deps{
		Handle: func(_ context.Context, m event.Message) error {
			fmt.Printf("%s/%d at %d: %s\n", m.Topic, m.Partition, m.Offset, m.Value)
			stop()
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := consumer.Run(ctx); err != nil { // drains, commits, leaves
		fmt.Println(err)
		return
	}
	committed, _, _ := broker.CommittedOffset("evalworker", "events", 0)
	fmt.Println("committed", committed)
	// Output:
	// events/0 at 0: hello
	// committed 1
}
