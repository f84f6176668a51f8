package dlq_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/devbroker"
	"github.com/evalworker/evalworker/internal/dlq"
	"github.com/evalworker/evalworker/internal/stream"
)

// Publish again what died of a panic that is mended now.
func ExampleQueue_Redrive() {
	broker, err := devbroker.Start(devbroker.Config{Topics: map[string]int32{"llm.requests.completed": 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	cfg := stream.DefaultConfig()
	cfg.Brokers = []string{broker.Addr()}

	q, err := dlq.Open(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	totals, err := q.Redrive(context.Background(), dlq.Filter{Reason: eval.ReasonPanic}, dlq.DefaultOptions(), func(r dlq.Result) error {
		fmt.Println(r.Letter.ID, r.Action, r.Detail)
		return nil
	})
	if errors.Is(err, dlq.ErrEmpty) {
		fmt.Println(err)
		return
	}
	fmt.Println(totals.Redriven, err)
	// Output: no dead letters: topic llm.requests.completed.dead does not exist yet
}

func ExampleParseID() {
	id, err := dlq.ParseID("0:12")
	fmt.Println(id.Partition, id.Offset, err)
	_, err = dlq.ParseID("12")
	fmt.Println(err)
	// Output:
	// 0 12 <nil>
	// "12" is no letter
}
