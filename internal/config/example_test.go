package config_test

import (
	"fmt"

	"github.com/evalworker/evalworker/internal/config"
)

func ExampleLoad() {
	c, err := config.Load("", []string{"EVALWORKER_KAFKA_TOPIC=llm.events", "EVALWORKER_SHUTDOWN_GRACE=10s"})
	fmt.Println(c.Kafka.Topic, c.Shutdown.Grace, err)

	_, err = config.Load("", []string{"EVALWORKER_KAFKA_TOPCI=llm.events", "EVALWORKER_SHUTDOWN_GRACE=10"})
	fmt.Println(err)
	// Output:
	// llm.events 10s <nil>
	// EVALWORKER_KAFKA_TOPCI: unknown variable; did you mean EVALWORKER_KAFKA_TOPIC?
	// EVALWORKER_SHUTDOWN_GRACE: "10" is not a duration; want a duration with its unit, such as 500ms, 30s or 5m
}
