package model_test

import (
	"fmt"

	"github.com/evalworker/evalworker/judges/model"
)

// A self-hosted model: no key, and a price of its own instead of the table's.
func ExampleNew() {
	cfg := model.DefaultConfig()
	cfg.Model, cfg.BaseURL = "house-judge", "http://localhost:8000/v1"
	cfg.Price = &model.Price{Input: 0.05, Output: 0.1}
	model, err := model.New(cfg, model.Deps{Getenv: func(string) string { return "" }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	fmt.Println(model)
	// Output: endpoint model=house-judge temperature=0 effort=default max_tokens=2048 seed=none format=json_schema
}
