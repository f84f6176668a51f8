// Nethttp is a service of net/http whose requests to a model are published to Kafka.
//
//	PORT=8000 KAFKA_BROKERS=localhost:9092 OPENAI_API_KEY=... go run ./examples/nethttp
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "nethttp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string) (err error) {
	em, err := emitter.New(emitter.Config{Brokers: strings.Split(getenv("KAFKA_BROKERS"), ",")})
	if err != nil {
		return err
	}
	config := goopenai.DefaultConfig(getenv("OPENAI_API_KEY"))
	if url := getenv("OPENAI_BASE_URL"); url != "" {
		config.BaseURL = url
	}
	model := openai.Wrap(goopenai.NewClientWithConfig(config), em,
		func(e *event.Event) { e.Feature, e.PromptName, e.PromptVersion = "support", "triage", "v3" })

	mux := http.NewServeMux()
	mux.Handle("POST /ask", ask(model))
	server := &http.Server{Handler: scope(mux), ReadHeaderTimeout: 10 * time.Second}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:"+getenv("PORT"))
	if err != nil {
		return err
	}
	fmt.Println("listens on", listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// First the requests end, then what they published is sent. The signal has ended ctx,
	// with which Shutdown would not wait.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(end), em.Close(end))
}

// scope puts session and user of a request into the events of all its calls of the model.
func scope(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := openai.With(r.Context(), func(e *event.Event) {
			e.SessionID, e.UserIDHash = r.Header.Get("X-Session"), openai.UserIDHash(r.Header.Get("X-User"))
		})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func ask(model *openai.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Question string `json:"question"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil {
			http.Error(w, "the body is no question", http.StatusBadRequest)
			return
		}
		id := rand.Text() // chosen here, because a user's feedback needs it
		ctx := openai.With(r.Context(), func(e *event.Event) { e.RequestID = event.RequestID(id) })
		completion, err := model.CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{
			Model:    "gpt-4o-mini",
			Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: body.Question}},
		})
		if err != nil || len(completion.Choices) == 0 { // published too, as an error
			http.Error(w, "the model does not answer", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"answer": completion.Choices[0].Message.Content, "request_id": id})
	})
}
