package clients

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// provider is the model of programs and judges. Judges ask the project's model server;
// programs are answered in the forms of OpenAI and Anthropic, with more fields than that
// server has, and as streams.
type provider struct {
	url   string
	judge http.Handler

	mu    sync.Mutex
	tries map[string]int            // guarded by mu; by question
	sent  map[string]map[string]any // guarded by mu; by question: the whole answer
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{tries: map[string]int{}, sent: map[string]map[string]any{}}
	p.judge = http.StripPrefix("/judge", modelserver.New(func(r modelserver.Request) modelserver.Reply {
		var verdicts []modelserver.Verdict
		for _, id := range r.Criteria {
			verdicts = append(verdicts, modelserver.Verdict{ID: id, Reason: "scripted", Verdict: "pass"})
		}
		return modelserver.Answer(verdicts)
	}))
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// question is found in the text of a request, whatever its form.
var question = regexp.MustCompile(`ask ([a-z-]+) (\d+) ([a-z-]+)`)

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/judge/") {
		p.judge.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the program has gone
	}
	var request struct{ Stream bool }
	asked := question.FindStringSubmatch(string(body))
	if err := json.Unmarshal(body, &request); err != nil || asked == nil {
		http.Error(w, "no question in the request", http.StatusBadRequest)
		return
	}
	number, _ := strconv.Atoi(asked[2]) // digits
	a := answerer{key: asked[0], number: number, kind: kind(asked[3])}
	if p.try(a.key) == 1 && a.kind == retried {
		w.Header().Set("Retry-After-Ms", "1")
		refuse(w, http.StatusTooManyRequests, "rate_limit_error", "slow down")
		return
	}
	if a.kind == failing {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "this cannot be answered")
		return
	}
	var whole map[string]any
	var pieces []map[string]any
	switch r.URL.Path {
	case "/v1/chat/completions":
		whole, pieces = a.chat()
	case "/v1/responses":
		whole, pieces = a.response()
	case "/v1/messages":
		whole, pieces = a.message()
	default:
		http.NotFound(w, r)
		return
	}
	p.keep(a.key, whole)
	switch {
	case request.Stream:
		stream(w, r, pieces, a.kind == cancelled)
	case a.kind == cancelled:
		<-r.Context().Done()
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(whole) // the program may have gone
	}
}

// try counts the attempts of a question.
func (p *provider) try(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries[key]++
	return p.tries[key]
}

func (p *provider) keep(key string, whole map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[key] = plain(whole)
}

// answered returns the answer that a question was given, and its attempts.
func (p *provider) answered(key string) (whole map[string]any, tries int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[key], p.tries[key]
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "error", "error": map[string]any{"type": kind, "message": message, "code": nil, "param": nil},
	})
}

// stream writes pieces as server-sent events. One that is to be cancelled waits after its
// third piece until the program has gone.
func stream(w http.ResponseWriter, r *http.Request, pieces []map[string]any, hold bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i, piece := range pieces {
		if hold && i == 3 {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		if name, ok := piece["type"]; ok {
			fmt.Fprintf(w, "event: %s\n", name)
		}
		b, _ := json.Marshal(piece) // texts and numbers
		fmt.Fprintf(w, "data: %s\n\n", b)
	}
	if _, named := pieces[0]["type"]; !named {
		fmt.Fprint(w, "data: [DONE]\n\n")
	}
}

// plain returns a value as JSON has it.
func plain(v map[string]any) map[string]any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}
