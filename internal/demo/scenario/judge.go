package scenario

import (
	"cmp"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// labelledAnswer is an answer that the scripted judge recognises.
type labelledAnswer struct {
	quote  string // the first sentence of its body
	answer answer
}

// Judge returns a script with which a model server judges the scenario's answers. It
// recognises an answer by its body, wherever in the reply it is, and decides each
// criterion by the answer's label. A few verdicts are inverted or cannot_judge, chosen
// by a hash of the reply and the criterion: the same request always gets the same
// verdicts, as from a model at temperature zero, and pass rates look like those of a
// judge that errs. As evidence for a pass it quotes the passages, if any, and for a
// fail the answer.
//
// A criterion that is about no aspect of the scenario passes. For an unknown
// answer, every criterion is cannot_judge. A request without an answer, as from a
// judge of retrieval only, passes.
func (s *Scenario) Judge() modelserver.Script {
	verdicts := s.Verdicts()
	return func(r modelserver.Request) modelserver.Reply { return modelserver.Answer(verdicts(r)) }
}

// Verdicts returns the verdicts of [Scenario.Judge] before they are encoded.
func (s *Scenario) Verdicts() func(modelserver.Request) []modelserver.Verdict {
	index, topics := s.index(), s.world.Judge.topics()
	return func(r modelserver.Request) []modelserver.Verdict {
		output := dataText(r.Data["output"])
		k, found := index.find(output)
		support := firstPassage(r.Data["chunks"])
		if support == "" {
			support = k.quote
		}
		verdicts := make([]modelserver.Verdict, 0, len(r.Criteria))
		for _, id := range r.Criteria {
			v := modelserver.Verdict{ID: id, Evidence: support, Reason: "It meets the criterion.", Verdict: "pass"}
			switch aspect := aspectOf(id, topics); {
			case output == "":
			case !found:
				v.Reason, v.Verdict = "The answer is none of this scenario.", "cannot_judge"
			case aspect != "":
				s.world.Judge.decide(&v, output, k, aspect)
			}
			verdicts = append(verdicts, v)
		}
		return verdicts
	}
}

// decide sets the verdict on one aspect of a labelled answer.
func (j *judge) decide(v *modelserver.Verdict, output string, k labelledAnswer, aspect string) {
	fails := slices.Contains(k.answer.Fails, aspect)
	switch u := hashUniform(output, v.ID); {
	case u < j.CannotJudge:
		v.Reason, v.Verdict = "The answer can be read in two ways.", "cannot_judge"
		return
	case u < j.CannotJudge+j.Noise:
		fails = !fails
	}
	if fails {
		v.Evidence, v.Reason, v.Verdict = k.quote, k.answer.Reason, "fail"
		if k.answer.Reason == "" || !slices.Contains(k.answer.Fails, aspect) {
			v.Reason = "It falls short of the criterion."
		}
	}
}

// topic is a part of a criterion's id that determines the criterion's aspect.
type topic struct{ part, aspect string }

// topics returns all topics, the longest part first.
func (j *judge) topics() []topic {
	var all []topic
	for _, aspect := range slices.Sorted(maps.Keys(j.Aspects)) {
		for _, part := range append([]string{aspect}, j.Aspects[aspect]...) {
			all = append(all, topic{part, aspect})
		}
	}
	slices.SortStableFunc(all, func(a, b topic) int { return cmp.Compare(len(b.part), len(a.part)) })
	return all
}

// aspectOf returns the aspect of the longest topic in a criterion's id, or "".
func aspectOf(id string, topics []topic) string {
	for _, t := range topics {
		if strings.Contains(id, t.part) {
			return t.aspect
		}
	}
	return ""
}

// answerIndex finds labelled answers by their bodies.
type answerIndex map[string]labelledAnswer

// index returns every answer that a reply can contain.
func (s *Scenario) index() answerIndex {
	all := answerIndex{}
	add := func(body string, a answer) {
		all[body] = labelledAnswer{firstSentence(body), a}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.world.Answers)) {
		a := s.world.Answers[kind]
		for _, body := range a.Texts {
			add(body, a)
		}
		for i := range s.tickets {
			if body := s.tickets[i].answer(kind); body != "" {
				add(body, a)
			}
		}
	}
	return all
}

func firstSentence(s string) string {
	first, _, _ := strings.Cut(s, ". ")
	return strings.TrimSuffix(first, ".")
}

// firstPassage returns the first sentence of the first passage in a judge's data, or
// "". Passages are in the order of retrieval, so the first is about the question.
func firstPassage(chunks any) string {
	list, _ := chunks.([]any)
	for _, c := range list {
		fields, _ := c.(map[string]any)
		if s, _ := fields["text"].(string); s != "" {
			return firstSentence(s)
		}
	}
	return ""
}

// find looks for a paragraph that is a body, in plain text or in JSON, and then for a
// body anywhere in the text. No body contains another, so the order of the map does
// not matter.
func (x answerIndex) find(output string) (labelledAnswer, bool) {
	for _, sep := range [...]string{`\n\n`, "\n\n"} {
		for paragraph := range strings.SplitSeq(output, sep) {
			if k, ok := x[paragraph]; ok {
				return k, true
			}
		}
	}
	for body, k := range x {
		if strings.Contains(output, body) {
			return k, true
		}
	}
	return labelledAnswer{}, false
}

// dataText returns a value of the request's data as text.
func dataText(v any) string {
	if s, ok := v.(string); ok || v == nil {
		return s
	}
	b, _ := json.Marshal(v) // it was decoded from JSON
	return string(b)
}

// hashUniform returns a number in [0,1) that depends only on the two texts.
func hashUniform(output, criterion string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(output + "\x00" + criterion))
	// The last bytes of the input barely reach the upper bits of this hash; one
	// round of mixing spreads them (the finaliser of MurmurHash3).
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
