package judges

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/internal/base/visible"
)

// Unwrap returns the answer in a model's reply without its envelope: white space and
// invisible characters at the edges, tokens of a chat template, reasoning before the
// answer, and a code fence. It does not look into the answer. It returns "" when the
// reply holds reasoning alone.
func Unwrap(reply string) string {
	s := withoutReasoning(trimTokens(finalChannel(reply)))
	if body, err := unfence(s); err == nil {
		return body
	}
	return s
}

// Tokens that servers leave at the edges of a reply when they do not know the model's
// chat template: end of turn and end of text behind it, the assistant's header before it.
// Models that were trained to think put their answer between tags of its own.
var (
	tokensBehind = regexp.MustCompile(`(?:<[|｜][^<>|｜\s]{1,64}[|｜]>|</s>|<eos>|<end_of_turn>|<turn\|>|</(?:answer|final_answer|output|response|json)>)$`)
	tokensBefore = regexp.MustCompile(`^(?:<s>|<bos>|<(?:answer|final_answer|output|response|json)>|<start_of_turn>model\s|<\|turn>model\s|<[|｜][^<>|｜\s]{1,64}[|｜]>(?:assistant\b)?)`)
)

// trimTokens removes white space, invisible characters and template tokens at both
// edges, in whatever order they stand.
func trimTokens(s string) string {
	for {
		t := strings.TrimRightFunc(s, isBlank)
		from := max(0, len(t)-maxToken) // the expression would search the whole reply
		if at := tokensBehind.FindStringIndex(t[from:]); at != nil {
			t = t[:from+at[0]]
		}
		if t == s {
			return trimBefore(s)
		}
		s = t
	}
}

// trimBefore is trimTokens for the beginning.
func trimBefore(s string) string {
	for {
		t := strings.TrimLeftFunc(s, isBlank)
		if at := tokensBefore.FindStringIndex(head(t)); at != nil && !opensThought.MatchString(head(t)) {
			t = t[at[1]:]
		}
		if t == s {
			return s
		}
		s = t
	}
}

// maxToken is the length of the longest template token, in bytes.
const maxToken = 300

// head returns the part of s in which an expression finds a token at its beginning: it
// would prepare to search all of s.
func head(s string) string { return s[:min(len(s), maxToken)] }

// isBlank reports whether a character says nothing at the edge of a reply.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || !visible.Is(r)
}

// harmonyFinal matches the head of the channel that holds the answer, in the format of
// gpt-oss: <|channel|>final<|message|>, with further words or tokens in between.
// Servers that drop the tokens leave "assistantfinal".
var harmonyFinal = regexp.MustCompile(`(?s)<\|channel\|>\s*final\b.{0,200}?<\|message\|>`)

// finalChannel returns the answer's channel of a reply in gpt-oss's format, "" when
// there are only other channels, and any other reply as it is.
func finalChannel(s string) string {
	t := strings.TrimFunc(s, isBlank)
	switch {
	case strings.HasPrefix(t, "{"): // a token in it is part of a quote
		return s
	case strings.Contains(t, "<|channel|>"):
		heads := harmonyFinal.FindAllStringIndex(t, -1)
		if len(heads) == 0 {
			return ""
		}
		return t[heads[len(heads)-1][1]:]
	case strings.HasPrefix(t, "analysis"):
		if i := strings.LastIndex(t, "assistantfinal"); i >= 0 {
			return t[i+len("assistantfinal"):]
		}
	}
	return s
}

// Tags around reasoning: <think> of DeepSeek, Qwen and most others, <thinking>,
// <thought> and <reasoning> of prompts that ask for them, <seed:think> of Seed, [THINK]
// of Magistral, ◁think▷ of Kimi, <|begin_of_thought|> of Sky-T1,
// <|START_THINKING|> of Command A. They are more than package event reads in an
// application's output, which may speak of such tags: here an object has to follow, so
// that nothing of an answer can be lost.
var (
	opensThought  = regexp.MustCompile(`(?i)^(?:<(?:[a-z]{1,16}:)?(?:think|thinking|thought|reasoning|reflection)>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|think|thinking|(?:begin|start)_think(?:ing)?)\|>)`)
	closesThought = regexp.MustCompile(`(?i)</(?:[a-z]{1,16}:)?(?:think|thinking|thought|reasoning|reflection)>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|/think|/thinking|end_think(?:ing)?)\|>`)
)

// withoutReasoning returns what stands behind the reasoning. The opening tag may be
// missing, because some templates put it into the prompt. A draft of the answer in the
// reasoning is not the answer, so everything up to a closing tag is dropped, unless the
// tag is quoted inside of the answer.
func withoutReasoning(s string) string {
	begins := s
	end, whole := objectEnd(begins)
	for _, tag := range closesThought.FindAllStringIndex(s, -1) {
		if whole {
			break
		}
		if tag[0] >= len(s)-len(begins)+end {
			begins = trimBefore(s[tag[1]:])
			end, whole = objectEnd(begins)
		}
	}
	if opensThought.MatchString(head(begins)) {
		return ""
	}
	return begins
}

// objectEnd returns the offset behind the JSON object with which s begins, and whether
// nothing else follows. It returns 0 when s begins with none.
func objectEnd(s string) (end int, whole bool) {
	if !strings.HasPrefix(s, "{") {
		return 0, false
	}
	dec := json.NewDecoder(strings.NewReader(s))
	var object json.RawMessage
	if dec.Decode(&object) != nil {
		return 0, false
	}
	_, err := dec.Token()
	return len(object), errors.Is(err, io.EOF)
}
