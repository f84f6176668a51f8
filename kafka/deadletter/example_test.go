package deadletter_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/kafka/deadletter"
)

// This redrives the letters of a panic that has been fixed.
func ExampleQueue_Redrive() {
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{"llm.requests.completed": 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	cfg := consumer.DefaultConfig()
	cfg.Brokers = []string{broker.Addr()}

	q, err := deadletter.Open(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	totals, err := q.Redrive(context.Background(), deadletter.Filter{Reason: eval.ReasonPanic}, deadletter.DefaultOptions(), func(r deadletter.Result) error {
		fmt.Println(r.Letter.ID, r.Action, r.Detail)
		return nil
	})
	if errors.Is(err, deadletter.ErrEmpty) {
		fmt.Println(err)
		return
	}
	fmt.Println(totals.Redriven, err)
	// Output: no dead letters: topic llm.requests.completed.dead does not exist yet
}

func ExampleParseID() {
	id, err := deadletter.ParseID("0:12")
	fmt.Println(id.Partition, id.Offset, err)
	_, err = deadletter.ParseID("12")
	fmt.Println(err)
	// Output:
	// 0 12 <nil>
	// "12" is not the id of a letter
}
