package judges_test

import (
	"context"
	"fmt"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/judges"
)

// A judge whose model is a function: a double for tests, and the way to use a model
// that is not behind HTTP.
func ExampleNew() {
	model := judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
		return judges.Answer{Text: `{"criteria":[
			{"id":"addresses_question","evidence":"","reason":"It tells how to choose a password, not how to reset it.","verdict":"fail"},
			{"id":"on_topic","evidence":"","reason":"Nothing foreign.","verdict":"pass"}]}`}, nil
	})
	judge, err := judges.New(judges.Config{Name: "relevance"}, judges.BuiltIn()["answer_relevance"], model)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := judge.Evaluate(context.Background(), &event.Event{
		Input:  event.Text("How do I reset my password?"),
		Output: event.Text("A strong password has twelve characters."),
	})
	fmt.Println(v.Outcome, v.Score, v.Reason, err)
	// Output: fail 0.5 not met: addresses_question <nil>
}

// An event that lacks an input of the rubric is not judged.
func ExampleJudge_Evaluate() {
	model := judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
		return judges.Answer{}, fmt.Errorf("never called")
	})
	judge, err := judges.New(judges.Config{Name: "faithfulness"}, judges.BuiltIn()["faithfulness"], model)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := judge.Evaluate(context.Background(), &event.Event{Output: event.Text("It takes two days.")})
	fmt.Println(v.Outcome, v.Reason, err)
	// Output: not_applicable missing retrieval.chunks <nil>
}

// A folder of rubrics adds to the built-in ones; the faults of all its files
// are reported at once.
func ExampleLoadRubrics() {
	rubrics, faults := judges.LoadRubrics("")
	fmt.Println(len(rubrics) > 0, rubrics["safety"].Criteria[0].ID, len(faults))
	// Output: true no_dangerous_help 0
}
