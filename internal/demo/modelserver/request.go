package modelserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Request is one call of the model, as a script sees it.
type Request struct {
	Model string // model, or the deployment's name on Azure's path when the body names none

	System string // first system message
	User   string // first user message: the data to be judged

	// Format is the answer format: json_schema, json_object, or fenced_json when the
	// request has no response_format.
	Format string
	// Criteria are the ids that have to be answered: the enum of
	// properties.criteria.items.properties.id in the schema. The schema is in
	// response_format, or on a separate line of the system message.
	Criteria []string
	// Data is the member "data" of the user message; nil when absent.
	Data map[string]any
	// Correction is the member "correction" of the user message: what was wrong with
	// the previous answer; empty in a first question.
	Correction string

	Body   []byte // as sent
	Header http.Header
}

// chatRequest is the part of a chat completion request that this package reads.
type chatRequest struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	ResponseFormat *struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

// answerSchema is the part of an answer schema that names the criteria.
type answerSchema struct {
	Properties struct {
		Criteria struct {
			Items struct {
				Properties struct {
					ID struct {
						Enum []string `json:"enum"`
					} `json:"id"`
				} `json:"properties"`
			} `json:"items"`
		} `json:"criteria"`
	} `json:"properties"`
}

func parseRequest(body []byte) (Request, error) {
	var w chatRequest
	if err := json.Unmarshal(body, &w); err != nil {
		return Request{}, errors.New("the body is not a chat completion request")
	}
	switch {
	case len(w.Messages) == 0:
		return Request{}, errors.New("messages: required")
	case w.Stream:
		return Request{}, errors.New("stream: not supported")
	}
	r := Request{Model: w.Model, Format: "fenced_json", Body: body}
	for _, m := range w.Messages {
		switch m.Role {
		case "system", "developer":
			if r.System == "" {
				r.System = m.Content
			}
		case "user":
			if r.User == "" {
				r.User = m.Content
			}
		}
	}
	if f := w.ResponseFormat; f != nil {
		r.Format = f.Type
		if f.JSONSchema != nil {
			r.Criteria = schemaCriteria(f.JSONSchema.Schema)
		}
	}
	if r.Criteria == nil {
		r.Criteria = promptCriteria(r.System)
	}
	var user struct {
		Data       map[string]any `json:"data"`
		Correction string         `json:"correction"`
	}
	if json.Unmarshal([]byte(r.User), &user) == nil {
		r.Data, r.Correction = user.Data, user.Correction
	}
	return r, nil
}

// promptCriteria returns the criteria from a schema on a line of the system message.
func promptCriteria(system string) []string {
	for line := range strings.Lines(system) {
		if ids := schemaCriteria([]byte(line)); len(ids) > 0 {
			return ids
		}
	}
	return nil
}

func schemaCriteria(raw []byte) []string {
	var s answerSchema
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return s.Properties.Criteria.Items.Properties.ID.Enum
}
