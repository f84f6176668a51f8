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

	// Format is the rung of the answer format: json_schema, json_object, or
	// fenced_json when the request has no response_format.
	Format string
	// Criteria are the ids that have to be answered, in the order of the schema.
	// The schema is the one of response_format; a request that carries none there
	// has it on a line of its own in the system message. They are the enum of
	// properties.criteria.items.properties.id.
	Criteria []string
	// Data is the member "data" of the user message; nil when there is none.
	Data map[string]any
	// Correction says what was wrong with the answer before; empty when the
	// question is asked for the first time. It is the user message's "correction".
	Correction string

	Body   []byte // as it was sent
	Header http.Header
}

// wire is what is read of a chat completion request.
type wire struct {
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

// schema is the part of an answer schema that names the criteria.
type schema struct {
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

// parse reads a request body.
func parse(body []byte) (Request, error) {
	var w wire
	if err := json.Unmarshal(body, &w); err != nil {
		return Request{}, errors.New("the body is no chat completion request")
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
			r.Criteria = criteria(f.JSONSchema.Schema)
		}
	}
	if r.Criteria == nil {
		r.Criteria = contract(r.System)
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

// contract finds the schema that stands on a line of its own in the prompt.
func contract(system string) []string {
	for line := range strings.Lines(system) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if ids := criteria([]byte(line)); len(ids) > 0 {
			return ids
		}
	}
	return nil
}

func criteria(raw []byte) []string {
	var s schema
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return s.Properties.Criteria.Items.Properties.ID.Enum
}
