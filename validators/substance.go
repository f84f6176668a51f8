package validators

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildSubstance builds the guard against answers that say nothing. It needs no
// model and runs before the judges, because some models give full marks to an empty
// answer that opens like a good one.
func buildSubstance(*builder) answer {
	return onOutput(func(_ context.Context, e *event.Event, out output) (eval.Verdict, error) {
		hasWords := strings.ContainsFunc(out.text, isAlphanumeric)
		switch {
		case strings.TrimSpace(out.text) == "":
			return fail("empty", "empty output"), nil
		case isOnlyControlTokens(out.text):
			return fail("empty", "only control tokens"), nil
		case !hasWords && out.json:
			return fail("empty", "empty JSON value"), nil
		case !hasWords:
			return fail("symbols", "no letter and no digit"), nil
		case isOpener(out.text):
			return fail("stub", "only an opener"), nil
		case isEcho(out.text, lastInput(e)):
			return fail("echo", "output repeats the input"), nil
		}
		return pass("substance"), nil
	})
}

func isAlphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// isOpener reports whether a text announces an answer and says nothing else.
func isOpener(text string) bool {
	const longest = 80 // bytes; no opener is longer
	text = strings.TrimSpace(text)
	if len(text) > longest {
		return false
	}
	noise := func(r rune) bool { return !isAlphanumeric(r) }
	bare := strings.TrimFunc(normalText(text), noise)
	if strings.HasSuffix(strings.TrimRight(text, "*_#` \n"), ":") {
		for _, yes := range [...]string{"sure", "certainly", "of course", "okay", "ok", "absolutely", "great question"} {
			if rest, ok := strings.CutPrefix(bare, yes); ok && rest != "" && noise(rune(rest[0])) {
				bare = strings.TrimLeftFunc(rest, noise)
				break
			}
		}
	}
	switch bare {
	case "thought process", "thinking process", "my thought process", "chain of thought", "reasoning", "let's think step by step",
		"let us think step by step", "let's solve this problem step by step", "let's solve this step by step",
		"let's work through this step by step", "let's break this down", "let's break it down", "step by step solution",
		"here is the answer", "here's the answer", "here is my answer", "here's my answer", "here is your answer",
		"here is the solution", "here's the solution", "here is the response", "here's the response",
		"here you go", "the answer is", "the final answer is", "final answer":
		return true
	case "solution", "answer", "response", "output", "result", "explanation", "analysis", "assistant", "thoughts",
		"sure", "certainly", "of course", "okay", "ok", "step 1", "here it is":
		// These are openers only before a colon; otherwise they could be answers.
		return strings.HasSuffix(strings.TrimRight(text, "*_#` \n"), ":")
	}
	return false
}

// isEcho reports whether the output repeats the input. A short input may be its
// own best answer, as a greeting is.
func isEcho(output, input string) bool {
	const (
		leastWords = 4
		leastChars = 20
	)
	wordsOf := func(text string) string {
		return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !isAlphanumeric(r) }), " ")
	}
	answer, asked := wordsOf(output), wordsOf(input)
	return answer == asked && (strings.Count(asked, " ") >= leastWords-1 || utf8.RuneCountInString(asked) >= leastChars)
}

// normalText returns a text in lower case, with straight quotes and single spaces. Its
// dashes stay, unlike those of [plain], because they part clauses.
func normalText(text string) string {
	if !isASCII(text) {
		text = strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "“", `"`, "”", `"`).Replace(text)
	}
	return strings.Join(strings.Fields(strings.ToLower(text)), " ")
}
