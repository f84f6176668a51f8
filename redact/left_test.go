package redact_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

// TestSeveralStrings: what several strings hold together, where they are shown as one
// text, is found there. The strings around it stay.
func TestSeveralStrings(t *testing.T) {
	t.Parallel()
	parts := func(texts ...string) string {
		type part struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		message := struct {
			Role    string `json:"role"`
			Content []part `json:"content"`
		}{Role: "assistant"}
		for _, text := range texts {
			message.Content = append(message.Content, part{"text", text})
		}
		b, err := json.Marshal([]any{map[string]string{"role": "user", "content": "Where is it?"}, message})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	long := strings.Repeat("It arrives on Friday at noon. ", 40)
	for name, tt := range map[string]struct{ output, gone, stays string }{
		"address":          {parts("Write to ana", "@"+"example.com"), "example.com", "Where is it?"},
		"address, in long": {parts(long+"Write to ana", "@"+"example.com or wait. "+long), "example.com", "Where is it?"},
		"address, thrice":  {parts("Write to ana", "@", "example.com", " Now."), "example.com", " Now."},
		"card":             {parts("It is 4111 1111", " 1111 1111"), "1111", "Where is it?"},
		"escaped":          {parts("Write to ana", `\u0040`, "example.com", " Now."), "example.com", " Now."},
		"token":            {parts("Take ghp_a1B2a1B2a1B2a1B2", "a1B2a1B2a1B2a1B2a1B2"), "a1B2", "Where is it?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown, err := redactor(t, redact.Config{}).Event(&event.Event{Output: event.JSON(json.RawMessage(tt.output))})
			if err != nil {
				t.Fatal(err)
			}
			if text := shown.Output.Text(); strings.Contains(text, tt.gone) || !strings.Contains(text, tt.stays) {
				t.Errorf("%q", text)
			}
		})
	}
}

// TestNoMemberHidesAnother: keys that are replaced in several passes stay apart.
func TestNoMemberHidesAnother(t *testing.T) {
	t.Parallel()
	output := `{"ana` + "@" + `example.com":1,"[EMAIL]":2,"bob` + "@" + `example.com":3,"[EMAIL]#2":4}`
	shown, err := redactor(t, redact.Config{}).Event(&event.Event{Output: event.JSON(json.RawMessage(output))})
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]int
	if err := json.Unmarshal(shown.Output.Raw(), &members); err != nil || len(members) != 4 {
		t.Errorf("%s, error %v", shown.Output.Raw(), err)
	}
}
