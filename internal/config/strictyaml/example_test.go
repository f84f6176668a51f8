package strictyaml_test

import (
	"fmt"
	"time"

	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

func ExampleDecode() {
	cfg := struct {
		Brokers []string      `yaml:"brokers"`
		Timeout time.Duration `yaml:"timeout"`
	}{Timeout: 30 * time.Second}
	_, faults := strictyaml.Decode("worker.yaml", []byte("borkers: [kafka:9092]\ntimeout: 5\n"), &cfg)
	fmt.Println(faults)
	fmt.Println(cfg.Timeout)
	// Output:
	// worker.yaml:1:1: borkers: unknown key; did you mean "brokers"?
	// worker.yaml:2:10: timeout: a number without a unit; want a duration with its unit, such as 500ms, 30s or 5m
	// 30s
}
