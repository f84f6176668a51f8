package broker_test

import (
	"fmt"

	"github.com/evalworker/evalworker/internal/demo/broker"
)

func ExampleStart() {
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{"llm.requests.completed": 8}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	fmt.Println(broker.CreateTopic("llm.requests.completed", 8) != nil) // it is there
	// Output: true
}
