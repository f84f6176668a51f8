package modelserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// A script that passes every criterion it is asked about.
func ExampleNew() {
	h := modelserver.New(func(r modelserver.Request) modelserver.Reply {
		var out []modelserver.Verdict
		for _, id := range r.Criteria {
			out = append(out, modelserver.Verdict{ID: id, Reason: "scripted", Verdict: "pass"})
		}
		return modelserver.Answer(out)
	})
	ask := `{"model":"small","messages":[
		{"role":"system","content":"{\"properties\":{\"criteria\":{\"items\":{\"properties\":{\"id\":{\"enum\":[\"accurate\"]}}}}}}"},
		{"role":"user","content":"{\"data\":{\"output\":\"Paris\"}}"}]}`
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/chat/completions", strings.NewReader(ask)))

	var got struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Choices[0].Message.Content)
	// Output: {"criteria":[{"id":"accurate","evidence":"","reason":"scripted","verdict":"pass"}]}
}
