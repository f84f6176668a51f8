package openai_test

import (
	"context"
	"fmt"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

// A support desk: its client is wrapped once, and each request says whose it is.
func Example() {
	em, err := emitter.New(emitter.Config{Brokers: []string{"kafka:9092"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = em.Close(context.Background()) }()

	client := openai.Wrap(goopenai.NewClient("key"), em, func(e *event.Event) {
		e.Feature, e.PromptName, e.PromptVersion = "support", "triage", "v3"
	})

	serve := func(ctx context.Context, session, user, question string) error {
		ctx = openai.With(ctx, func(e *event.Event) {
			e.SessionID, e.UserIDHash = session, openai.UserIDHash(user)
		})
		_, err := client.CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{
			Model: "gpt-5", Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: question}},
		})
		if err != nil {
			return err
		}
		return client.Feedback(ctx, openai.LastRequestID(ctx), event.RatingUp) // when the user likes it
	}
	_ = serve
}
