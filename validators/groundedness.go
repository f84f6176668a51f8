package validators

import (
	"context"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Labels of groundedness.
const (
	labelGrounded   = "grounded"
	labelUngrounded = "ungrounded"
)

// defaultMinShare is the share of content words that has to be found when the
// configuration does not say. It is low, because the share tells another subject and
// not a wrong claim: of claims that experts confirmed, a bound of one half fails three
// in ten.
const defaultMinShare = 0.2

// buildGroundedness builds a lexical check of an answer against the retrieved text.
// The score is
//
//	content words of the answer that occur in a chunk / content words of the answer
//
// counting distinct words in lower case, with endings cut ([stem]) and without
// function words; a number counts as a word.
//
// It is a cheap alarm for answers on another subject, not a judge. It knows words and
// not meaning: a paraphrase scores low, and "the fee is not waived" is as grounded as
// "the fee is waived". An answer that shares few words cannot be judged when it is
// short of any, when it says that it does not know, and when it is in another script
// or language than the chunks.
func buildGroundedness(b *builder) answer {
	least := defaultMinShare
	if b.MinShare != nil {
		least = *b.MinShare
	}
	if inside := least > 0 && least <= 1; !inside { // NaN is not inside
		b.faults.Add("min_share", "is not in (0,1]", "want a share such as 0.2")
	}
	ignored := stopWords()
	return onOutput(func(ctx context.Context, e *event.Event, out output) (eval.Verdict, error) {
		hasText := func(c event.Chunk) bool { return strings.TrimSpace(c.Text) != "" }
		if e.Retrieval == nil || !slices.ContainsFunc(e.Retrieval.Chunks, hasText) {
			return eval.NotApplicable("retrieval.chunks.text"), nil
		}
		text := plain(out.text)
		open := map[string]bool{} // content words of the answer that have not been found
		contentWords(joinHyphens(text), ignored, func(w string) { open[w] = true })
		total := len(open)
		if total == 0 {
			return cannotJudge("no content words"), nil
		}
		var found languages
		for i := range e.Retrieval.Chunks {
			if err := ctx.Err(); err != nil {
				return eval.Verdict{}, err
			}
			chunk := plain(e.Retrieval.Chunks[i].Text)
			contentWords(chunk, ignored, func(w string) { delete(open, w) })
			if joined := joinHyphens(chunk); len(joined) != len(chunk) {
				contentWords(joined, ignored, func(w string) { delete(open, w) })
			}
		}
		share := float64(total-len(open)) / float64(total)
		if share < least {
			for i := range e.Retrieval.Chunks {
				found.add(e.Retrieval.Chunks[i].Text)
			}
			if reason := found.incomparable(text); reason != "" {
				return cannotJudge(reason), nil
			}
			v := fail(labelUngrounded, "share of found words below min_share")
			v.Score = share
			return v, nil
		}
		v := pass(labelGrounded)
		v.Score = share
		return v, nil
	})
}
