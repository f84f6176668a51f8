package validators

import (
	"context"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// defaultMinShare is the share of content words that has to be found when the
// configuration does not say. A fluent answer from the text reuses well over half of
// its content words; one on another subject shares few.
const defaultMinShare = 0.5

// buildGroundedness builds a lexical check of an answer against the retrieved text.
// The score is
//
//	content words of the answer that occur in a chunk / content words of the answer
//
// counting distinct words in lower case, with endings cut ([stem]) and without
// function words; a number counts as a word, unchanged.
//
// It is a cheap alarm, not a judge. It knows words and not meaning: a paraphrase
// scores low, and "the fee is not waived" is as grounded as "the fee is waived".
// An answer without any content word cannot be judged.
func buildGroundedness(b *builder) answer {
	least := defaultMinShare
	if b.MinShare != nil {
		least = *b.MinShare
	}
	if inside := least > 0 && least <= 1; !inside { // NaN is not inside
		b.faults.Add("min_share", "is not in (0,1]", "want a share such as 0.5")
	}
	ignored := stopWords()
	return onOutput(func(ctx context.Context, e *event.Event, out output) (eval.Verdict, error) {
		hasText := func(c event.Chunk) bool { return strings.TrimSpace(c.Text) != "" }
		if e.Retrieval == nil || !slices.ContainsFunc(e.Retrieval.Chunks, hasText) {
			return eval.NotApplicable("retrieval.chunks.text"), nil
		}
		open := map[string]bool{} // content words of the answer that have not been found
		contentWords(out.text, ignored, func(w string) { open[w] = true })
		total := len(open)
		if total == 0 {
			return cannotJudge("no content words"), nil
		}
		for i := range e.Retrieval.Chunks {
			if err := ctx.Err(); err != nil {
				return eval.Verdict{}, err
			}
			contentWords(e.Retrieval.Chunks[i].Text, ignored, func(w string) { delete(open, w) })
		}
		share := float64(total-len(open)) / float64(total)
		v := pass("grounded")
		if share < least {
			v = fail("ungrounded", "share of found words below min_share")
		}
		v.Score = share
		return v, nil
	})
}
