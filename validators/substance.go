package validators

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildSubstance makes the guard against answers that say nothing. It needs no
// model and goes before the judges: some models give full marks to an empty answer
// that opens like a good one.
func buildSubstance(Config, *Schemas) (made, error) {
	return made{answer: func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		out, missing := outputOf(e)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		label, reason := hollow(out)
		if label == "" && echo(out.text, lastInput(e)) {
			label, reason = "echo", "output repeats the input"
		}
		if label != "" {
			return fail(label, reason), nil
		}
		return pass("substance"), nil
	}}, nil
}

// hollow says in which way a text is without substance by itself.
func hollow(out said) (label, reason string) {
	if strings.TrimSpace(out.text) == "" {
		return "empty", "empty output"
	}
	letters := strings.ContainsFunc(out.text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
	switch {
	case !letters && out.json:
		return "empty", "empty JSON value"
	case !letters:
		return "symbols", "no letter and no digit"
	case stub(out.text):
		return "stub", "only an opener"
	}
	return "", ""
}

// openers announce an answer. One that could itself be an answer, such as "Sure",
// is an opener only before a colon.
func openers() (always, beforeColon []string) {
	always = []string{
		"thought process", "thinking process", "my thought process", "chain of thought", "reasoning", "let's think step by step",
		"let us think step by step", "let's solve this problem step by step", "let's solve this step by step",
		"let's work through this step by step", "let's break this down", "let's break it down", "step by step solution",
		"here is the answer", "here's the answer", "here is my answer", "here's my answer", "here is your answer",
		"here is the solution", "here's the solution", "here is the response", "here's the response",
		"here you go", "the answer is", "the final answer is", "final answer",
	}
	beforeColon = []string{
		"solution", "answer", "response", "output", "result", "explanation", "analysis", "assistant", "thoughts",
		"sure", "certainly", "of course", "okay", "ok", "step 1", "here it is",
	}
	return always, beforeColon
}

// stub reports whether a text is an opener and nothing else.
func stub(text string) bool {
	const longest = 80 // bytes; no opener is as long
	text = strings.TrimSpace(text)
	if len(text) > longest {
		return false
	}
	bare := strings.TrimFunc(plainText(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	colon := strings.HasSuffix(strings.TrimRight(text, "*_#` \n"), ":")
	always, beforeColon := openers()
	if slices.Contains(always, bare) {
		return true
	}
	for _, o := range beforeColon {
		if bare == o && colon {
			return true
		}
	}
	return false
}

// echo reports whether the output repeats the input. A short input may be its own
// best answer, as a greeting is.
func echo(output, input string) bool {
	const (
		leastWords = 4
		leastChars = 20
	)
	said, asked := bareWords(output), bareWords(input)
	return said == asked && (strings.Count(asked, " ") >= leastWords-1 || utf8.RuneCountInString(asked) >= leastChars)
}

// plainText gives a text in lower case, with straight quotes and single spaces.
func plainText(text string) string {
	text = strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "“", `"`, "”", `"`).Replace(text)
	return strings.Join(strings.Fields(strings.ToLower(text)), " ")
}

// bareWords gives the letters and digits of a text, word by word.
func bareWords(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r)
	}), " ")
}
