package scenario_test

import (
	"fmt"

	"github.com/evalworker/evalworker/internal/demo/scenario"
)

// The first requests of a scenario are the same in every process.
func ExampleScenario_Events() {
	s, err := scenario.Load("healthy")
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for e := range s.Events(1, scenario.Options{}) {
		fmt.Println(e.OccurredAt.Format("15:04:05"), e.Feature, e.PromptVersion, e.Status)
		if n++; n == 3 {
			break
		}
	}
	// Output:
	// 09:00:00 support_agent 2026-06-01.2 success
	// 09:00:00 support_agent 2026-06-01.1 success
	// 09:00:00 support_agent 2026-06-01.2 success
}
