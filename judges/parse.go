package judges

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
)

// finding is a model's answer on one criterion.
type criterionVerdict struct {
	evidence, reason string
	outcome          eval.Outcome
}

// violation says how an answer breaks its contract, in words that hold nothing
// of the answer.
type violation string

func (v violation) Error() string { return string(v) }

// parse reads an answer strictly and gives the findings in the rubric's order.
// It repairs nothing: an answer that breaks its contract is no answer.
func parseAnswer(text, format string, criteria []Criterion) ([]criterionVerdict, error) {
	body := strings.TrimSpace(text)
	if format == FormatFenced {
		var err error
		if body, err = unfence(body); err != nil {
			return nil, err
		}
	}
	if !strings.HasPrefix(body, "{") {
		return nil, violation("the answer is not one JSON object")
	}
	dec := json.NewDecoder(strings.NewReader(body))
	top, err := strictObject(dec, []string{"criteria"})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, violation("there is text after the JSON object")
	}
	var items []json.RawMessage
	if list := top[0]; !bytes.HasPrefix(list, []byte("[")) || json.Unmarshal(list, &items) != nil {
		return nil, violation(`"criteria" is not a list`)
	}
	out := make([]criterionVerdict, len(criteria))
	answered := make([]bool, len(criteria))
	for _, item := range items {
		i, f, err := parseItem(item, criteria)
		if err != nil {
			return nil, err
		}
		if answered[i] {
			return nil, violation("criterion " + criteria[i].ID + " is answered twice")
		}
		answered[i], out[i] = true, f
	}
	if i := slices.Index(answered, false); i >= 0 {
		return nil, violation("criterion " + criteria[i].ID + " is not answered")
	}
	return out, nil
}

// parseItem reads the answer on one criterion and gives the criterion's index.
func parseItem(item json.RawMessage, criteria []Criterion) (int, criterionVerdict, error) {
	values, err := strictObject(json.NewDecoder(bytes.NewReader(item)), []string{"id", "evidence", "reason", "verdict"})
	if err != nil {
		return 0, criterionVerdict{}, err
	}
	var texts [4]string
	for i, v := range values {
		if !bytes.HasPrefix(v, []byte(`"`)) || json.Unmarshal(v, &texts[i]) != nil {
			return 0, criterionVerdict{}, violation(`"id", "evidence", "reason" and "verdict" have to be strings`)
		}
	}
	i := slices.IndexFunc(criteria, func(c Criterion) bool { return c.ID == texts[0] })
	if i < 0 {
		return 0, criterionVerdict{}, violation(`an "id" is none of the criteria`)
	}
	f := criterionVerdict{evidence: texts[1], reason: texts[2]}
	switch texts[3] {
	case "pass":
		f.outcome = eval.OutcomePass
	case "fail":
		f.outcome = eval.OutcomeFail
	case "not_applicable":
		f.outcome = eval.OutcomeNotApplicable
	case "cannot_judge":
		f.outcome = eval.OutcomeCannotJudge
	default:
		return 0, criterionVerdict{}, violation(`the "verdict" of ` + criteria[i].ID + ` is none of pass, fail, not_applicable, cannot_judge`)
	}
	return i, f, nil
}

// object reads one JSON object that has exactly these keys, each once. The
// standard decoder would take the last of two equal keys, and keys in another
// case: two readings of one answer.
func strictObject(dec *json.Decoder, keys []string) ([]json.RawMessage, error) {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, violation("an object is expected where there is none")
	}
	values := make([]json.RawMessage, len(keys))
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, violation("the JSON is broken or cut off")
		}
		name, _ := t.(string)
		i := slices.Index(keys, name)
		switch {
		case i < 0:
			return nil, violation("an object has a key that the schema does not know")
		case values[i] != nil:
			return nil, violation(`the key "` + keys[i] + `" stands twice`)
		}
		if err := dec.Decode(&values[i]); err != nil {
			return nil, violation("the JSON is broken or cut off")
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, violation("the JSON is broken or cut off")
	}
	for i, v := range values {
		if v == nil {
			return nil, violation(`the key "` + keys[i] + `" is missing`)
		}
	}
	return values, nil
}

// unfence gives what stands in the one code fence of an answer; an answer that
// is a bare JSON object needs none. With more than one fence there is more than
// one answer. A fence that closes stands at the beginning of a line, where no
// quoted one does, for JSON writes no line breaks into texts; it may be missing
// there when all is one line.
func unfence(s string) (string, error) {
	if strings.HasPrefix(s, "{") {
		return s, nil
	}
	_, rest, ok := strings.Cut(s, "```")
	if !ok {
		return "", violation("there is no fenced code block")
	}
	body, after, ok := strings.Cut(rest, "\n```")
	if !ok {
		end := strings.LastIndex(rest, "```")
		if end < 0 {
			return "", violation("the fenced code block does not end")
		}
		body = rest[:end]
	}
	if strings.Contains(after, "\n```") {
		return "", violation("there is more than one fenced code block")
	}
	return strings.TrimSpace(strings.TrimPrefix(body, "json")), nil
}
