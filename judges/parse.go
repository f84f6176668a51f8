package judges

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
)

// criterionVerdict is a model's answer on one criterion.
type criterionVerdict struct {
	evidence, reason string
	outcome          eval.Outcome
}

// parseAnswer takes the answer out of its envelope, parses it strictly and returns the
// verdicts in the rubric's order. It repairs nothing: an answer that breaks its contract
// is an error, which repeats nothing of the answer.
func parseAnswer(text string, criteria []Criterion) ([]criterionVerdict, error) {
	body := Unwrap(text)
	switch {
	case body == "":
		return nil, errors.New("there is no answer, or only reasoning before one")
	case strings.Contains(body, fence):
		if _, err := unfence(body); err != nil {
			return nil, err
		}
	case !strings.HasPrefix(body, "{"):
		return nil, errors.New("the answer is not one JSON object")
	}
	dec := json.NewDecoder(strings.NewReader(body))
	top, err := strictObject(dec, []string{"criteria"})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the JSON object")
	}
	var items []json.RawMessage
	if list := top[0]; !bytes.HasPrefix(list, []byte("[")) || json.Unmarshal(list, &items) != nil {
		return nil, errors.New(`"criteria" is not a list`)
	}
	out := make([]criterionVerdict, len(criteria))
	answered := make([]bool, len(criteria))
	for _, item := range items {
		i, f, err := parseItem(item, criteria)
		if err != nil {
			return nil, err
		}
		if answered[i] {
			return nil, errors.New("criterion " + criteria[i].ID + " is answered twice")
		}
		answered[i], out[i] = true, f
	}
	if i := slices.Index(answered, false); i >= 0 {
		return nil, errors.New("criterion " + criteria[i].ID + " is not answered")
	}
	return out, nil
}

// parseItem parses the answer on one criterion and returns the criterion's index.
func parseItem(item json.RawMessage, criteria []Criterion) (int, criterionVerdict, error) {
	values, err := strictObject(json.NewDecoder(bytes.NewReader(item)), []string{"id", "evidence", "reason", "verdict"})
	if err != nil {
		return 0, criterionVerdict{}, err
	}
	var texts [4]string
	for i, v := range values {
		if !bytes.HasPrefix(v, []byte(`"`)) || json.Unmarshal(v, &texts[i]) != nil {
			return 0, criterionVerdict{}, errors.New(`"id", "evidence", "reason" and "verdict" have to be strings`)
		}
	}
	i := slices.IndexFunc(criteria, func(c Criterion) bool { return c.ID == texts[0] })
	if i < 0 {
		return 0, criterionVerdict{}, errors.New(`an "id" is none of the criteria`)
	}
	outcomes := []eval.Outcome{eval.OutcomePass, eval.OutcomeFail, eval.OutcomeNotApplicable, eval.OutcomeCannotJudge}
	n := slices.IndexFunc(outcomes, func(o eval.Outcome) bool { return o.String() == texts[3] })
	if n < 0 {
		return 0, criterionVerdict{}, errors.New(`the "verdict" of ` + criteria[i].ID + ` is none of pass, fail, not_applicable, cannot_judge`)
	}
	return i, criterionVerdict{evidence: texts[1], reason: texts[2], outcome: outcomes[n]}, nil
}

// strictObject decodes one JSON object with exactly these keys, each once, and
// returns their values. Decoding into a struct would accept repeated keys and keys
// in another case, which makes an answer ambiguous.
func strictObject(dec *json.Decoder, keys []string) ([]json.RawMessage, error) {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("an object is expected where there is none")
	}
	values := make([]json.RawMessage, len(keys))
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, errors.New("the JSON is broken or cut off")
		}
		name, _ := t.(string)
		i := slices.Index(keys, name)
		switch {
		case i < 0:
			return nil, errors.New("an object has a key that the schema does not know")
		case values[i] != nil:
			return nil, errors.New(`the key "` + keys[i] + `" stands twice`)
		}
		if err := dec.Decode(&values[i]); err != nil {
			return nil, errors.New("the JSON is broken or cut off")
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("the JSON is broken or cut off")
	}
	for i, v := range values {
		if v == nil {
			return nil, errors.New(`the key "` + keys[i] + `" is missing`)
		}
	}
	return values, nil
}

const fence = "```"

// unfence returns the content of an answer's only code fence; a bare JSON object
// needs none. Two fences would be two answers. A closing fence begins a line; a
// fence quoted in JSON cannot, since JSON strings have no raw line breaks. Only if
// the whole answer is on one line may the closing fence be anywhere.
func unfence(s string) (string, error) {
	if strings.HasPrefix(s, "{") {
		return s, nil
	}
	_, rest, ok := strings.Cut(s, fence)
	if !ok {
		return "", errors.New("there is no fenced code block")
	}
	body, after, ok := strings.Cut(rest, "\n"+fence)
	if !ok {
		end := strings.LastIndex(rest, fence)
		if end < 0 {
			return "", errors.New("the fenced code block does not end")
		}
		body = rest[:end]
	}
	if strings.Contains(after, "\n"+fence) {
		return "", errors.New("there is more than one fenced code block")
	}
	return strings.TrimSpace(strings.TrimLeftFunc(body, unicode.IsLetter)), nil // without the name of a language
}
