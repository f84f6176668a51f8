package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/telemetry"
)

// Switched off, telemetry takes everything and sends nothing.
func ExampleNew() {
	cfg := telemetry.DefaultConfig()
	cfg.Enabled = false
	t, err := telemetry.New(cfg, telemetry.Deps{Log: slog.Default(), Version: "1.0.0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	t.Report(&eval.Report{Event: &event.Event{RequestID: "req-1"}})
	t.Skipped(eval.DispositionSampledOut, 1)
	fmt.Println("enabled:", t.Stats().Enabled)
	fmt.Println("close:", t.Close(context.Background()))
	// Output:
	// enabled: false
	// close: <nil>
}

func ExampleMetrics() {
	for _, m := range telemetry.Metrics() {
		if strings.HasPrefix(m.Name, "evalworker.judge.") {
			fmt.Println(m.Name, m.Type, m.Tags)
		}
	}
	// Output:
	// evalworker.judge.latency_ms distribution [eval model]
	// evalworker.judge.cost_usd distribution [eval model]
	// evalworker.judge.tokens count [eval model kind]
	// evalworker.judge.errors count [eval model reason]
}

func ExampleConfig_Validate() {
	cfg := telemetry.DefaultConfig()
	cfg.AgentURL = "agent:8126"
	cfg.Queue = 0
	fmt.Println(cfg.Validate())
	// Output:
	// agent_url: scheme of "agent:8126" is not known; write http://host:8126 or unix:///path/to/apm.socket
	// queue: is out of range; write a number of reports from 1 to 1000000
}
