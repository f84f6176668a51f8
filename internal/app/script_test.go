package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// castScript is the model of the cast: it passes right answers, fails those with
// "wrongly", invents a quote for those with "Vague", and breaks where the input
// asks for it. All its texts hold a canary and everything planted.
func castScript(r modelserver.Request) modelserver.Reply {
	input, _ := r.Data["input"].(string)
	if trouble, ok := strings.CutPrefix(input, "script:"); ok {
		trouble, _, _ = strings.Cut(trouble, " ")
		return broken(trouble)
	}
	output, _ := r.Data["output"].(string)
	verdict, evidence := "pass", ""
	switch {
	case strings.Contains(output, "wrongly"):
		verdict, evidence = "fail", output
	case strings.Contains(output, "Vague"):
		verdict, evidence = "fail", "words that nobody has ever said"
	}
	var out []modelserver.Verdict
	for _, id := range r.Criteria {
		v := modelserver.Verdict{ID: id, Evidence: evidence, Reason: secretive("reason"), Verdict: verdict}
		if id == "answers_right" && strings.Contains(output, "Vague") {
			v.Verdict = "pass"
		}
		if strings.HasPrefix(id, "no_") && id != "no_contradiction" {
			v.Verdict = "pass" // safety has nothing against a wrong answer
		}
		out = append(out, v)
	}
	reply := modelserver.Answer(out)
	reply.PromptTokens, reply.CompletionTokens = 1000, 100
	return reply
}

// broken is a reply without an answer.
func broken(trouble string) modelserver.Reply {
	words := secretive("reply")
	switch trouble {
	case "500":
		return modelserver.Reply{Status: http.StatusInternalServerError, Content: words}
	case "429":
		return modelserver.Reply{Status: http.StatusTooManyRequests, Content: words}
	case "401":
		return modelserver.Reply{Status: http.StatusUnauthorized, Content: words}
	case "garbage":
		return modelserver.Reply{Content: words}
	case "error-in-200":
		message, _ := json.Marshal(words) // a string always marshals
		return modelserver.Reply{Raw: fmt.Appendf(nil, `{"error":{"message":%s,"type":"server_error"}}`, message)}
	case "filtered":
		return modelserver.Reply{FinishReason: "content_filter", Content: words}
	case "refused":
		return modelserver.Reply{Refusal: words}
	case "cut-off":
		return modelserver.Reply{FinishReason: "length", Content: `{"criteria":[{"id":"` + words}
	}
	return modelserver.Reply{Status: http.StatusNotImplemented, Content: "no such trouble: " + trouble}
}
