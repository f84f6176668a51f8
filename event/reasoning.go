package event

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// tags are the marks around a model's reasoning.
type tags struct {
	open, end string
	alone     bool // templates may write open for the model, so that only end is in the text
}

// reasoningTags returns the tags that models write, in lower case. An answer begins
// with one of them, if at all.
func reasoningTags() [9]tags {
	return [...]tags{
		{"<think>", "</think>", true},
		{"<thinking>", "</thinking>", true},
		{"<thought>", "</thought>", false},
		{"<reasoning>", "</reasoning>", false},
		{"[think]", "[/think]", true},
		{"<seed:think>", "</seed:think>", true},
		{"◁think▷", "◁/think▷", true},
		{"<|start_thinking|>", "<|end_thinking|>", false},
		{"<|begin_of_thought|>", "<|end_of_thought|>", false},
	}
}

// cutReasoning splits the text of a model into its reasoning and its answer.
// Reasoning stands at the beginning, as models emit it: between tags, up to the end
// when the closing tag is missing, because the text was cut off; before a closing
// tag alone; or in the channels of the harmony format. Tags elsewhere in a text are
// words of the answer.
func cutReasoning(text string) (reasoning, answer string, calls []json.RawMessage) {
	if reasoning, answer, calls, ok := cutHarmony(text); ok {
		return reasoning, answer, calls
	}
	rest := trimLeft(text)
	if rest == "" || rest[0] != '<' && rest[0] != '[' && !strings.HasPrefix(rest, "◁") {
		reasoning, answer = cutBeforeTag(text, rest)
		return reasoning, answer, nil
	}
	var thoughts []string
	for {
		inside, after, ok := cutTagged(rest)
		switch {
		case ok:
			thoughts = appendText(thoughts, strings.TrimSpace(inside))
			rest = trimLeft(after)
			continue
		case len(rest) == len(trimLeft(text)):
			reasoning, answer = cutBeforeTag(text, rest)
			return reasoning, answer, nil
		}
		return strings.Join(thoughts, "\n"), rest, nil
	}
}

// cutTagged splits off the reasoning between the tags at the beginning of a text.
func cutTagged(text string) (inside, after string, ok bool) {
	for _, t := range reasoningTags() {
		if !hasPrefixFold(text, t.open) {
			continue
		}
		inside = text[len(t.open):]
		if i := indexFold(inside, t.end); i >= 0 {
			return inside[:i], inside[i+len(t.end):], true
		}
		return inside, "", true
	}
	return "", text, false
}

// cutBeforeTag splits a text at a closing tag that has no opening one. The tag has
// to stand as models emit it, at the beginning or the end of a line or directly
// between two words, and not in code or in a JSON document: a text about such tags
// is not reasoning.
func cutBeforeTag(text, trimmed string) (reasoning, answer string) {
	for _, t := range reasoningTags() {
		if !t.alone {
			continue
		}
		i := indexFold(text, t.end)
		if i < 0 {
			continue
		}
		before, after := text[:i], text[i+len(t.end):]
		if !standsAlone(before, after) || indexFold(before, t.open) >= 0 || strings.Count(before, "```")%2 != 0 {
			continue
		}
		if (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid([]byte(trimmed)) {
			return "", text
		}
		return strings.TrimSpace(before), trimLeft(after)
	}
	return "", text
}

// standsAlone reports whether a tag between two texts is emitted and not mentioned:
// it begins a line, or it follows a word without a space, and is not quoted.
func standsAlone(before, after string) bool {
	const quotes = "`'\"“”‘’«»"
	if next, _ := utf8.DecodeRuneInString(after); strings.ContainsRune(quotes, next) {
		return false
	}
	line := strings.TrimRight(before, " \t")
	if line == "" || line[len(line)-1] == '\n' {
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(line)
	return len(line) == len(before) && last != '(' && !strings.ContainsRune(quotes, last)
}

// cutHarmony splits a text in the harmony format: the channel "analysis" is
// reasoning, "final" is the answer, a message to a function is a call, and other
// remarks are read when there is no answer. It also reads the format without its
// control tokens, as software that drops those leaves it.
func cutHarmony(text string) (reasoning, answer string, calls []json.RawMessage, ok bool) {
	const channel, start, message = "<|channel|>", "<|start|>", "<|message|>"
	rest := trimLeft(text)
	if bare, ok := strings.CutPrefix(rest, "analysis"); ok && bare != "" && bare[0] != ' ' {
		if reasoning, answer, ok := strings.Cut(bare, "assistantfinal"); ok {
			return strings.TrimSpace(reasoning), trimLeft(answer), nil, true
		}
	}
	if !strings.HasPrefix(rest, channel) && !strings.HasPrefix(rest, start) {
		return "", text, nil, false
	}
	var thoughts, remarks, answers []string
	for {
		head, body, found := strings.Cut(rest, message)
		if !found { // the end, or cut off within a header
			break
		}
		said := body[:harmonyEnd(body)]
		rest = body[len(said):]
		_, name, _ := strings.Cut(head, channel)
		_, to, _ := strings.Cut(head, " to=")
		to, _, _ = strings.Cut(to, "<|")
		said = strings.TrimSpace(said)
		switch {
		case to != "":
			calls = append(calls, harmonyCall(to, said))
		case strings.HasPrefix(name, "analysis"):
			thoughts = appendText(thoughts, said)
		case strings.HasPrefix(name, "commentary"):
			remarks = appendText(remarks, said)
		default:
			answers = appendText(answers, said)
		}
	}
	if len(answers) == 0 {
		answers = remarks
	}
	return strings.Join(thoughts, "\n"), strings.Join(answers, "\n"), calls, true
}

// harmonyCall returns the call of a function with arguments.
func harmonyCall(recipient, arguments string) json.RawMessage {
	name, _, _ := strings.Cut(strings.TrimSpace(recipient), " ")
	call, _ := json.Marshal(map[string]string{"name": strings.TrimPrefix(name, "functions."), "arguments": arguments}) // strings always marshal
	return call
}

// harmonyEnd returns the length of the message at the beginning of a text.
func harmonyEnd(s string) int {
	for at := 0; ; at += 2 {
		i := strings.Index(s[at:], "<|")
		if i < 0 {
			return len(s)
		}
		at += i
		for _, token := range [...]string{"<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>"} {
			if strings.HasPrefix(s[at:], token) {
				return at
			}
		}
	}
}

// trimLeft removes white space, and a byte order mark, from the beginning.
func trimLeft(s string) string { return strings.TrimLeft(s, " \t\r\n\ufeff") }

// hasPrefixFold reports whether s begins with a prefix that is in lower case, and
// whose letters are ASCII.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// indexFold returns the place in s of a tag that is in lower case.
func indexFold(s, tag string) int {
	for at := 0; ; {
		i := strings.IndexByte(s[at:], tag[0])
		if i < 0 {
			return -1
		}
		at += i
		if hasPrefixFold(s[at:], tag) {
			return at
		}
		at++
	}
}
