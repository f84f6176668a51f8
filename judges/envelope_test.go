package judges

import (
	"strings"
	"testing"
)

// TestUnwrap: every envelope that servers and models put around an answer comes off,
// and nothing else does.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	const (
		answer = `{"criteria":[{"id":"a","verdict":"fail"}]}`
		draft  = `{"criteria":[{"id":"a","verdict":"pass"}]}`
		quotes = `{"criteria":[{"id":"a","evidence":"</think> and <|im_end|>"}]}`
	)
	tests := map[string]struct{ reply, want string }{
		"bare":                             {answer, answer},
		"white space":                      {"\r\n\t " + answer + " \n", answer},
		"byte order mark and zero width":   {"\ufeff\u200b" + answer + "\u200d\u2060\n", answer},
		"think":                            {"<think>\nIt is late.\n</think>\n\n" + answer, answer},
		"thinking in capitals":             {"<Thinking>It is late.</Thinking>" + answer, answer},
		"THINK of Mistral":                 {"[THINK]It is late.[/THINK]" + answer, answer},
		"think of Kimi":                    {"◁think▷It is late.◁/think▷" + answer, answer},
		"think of Seed":                    {"<seed:think>It is late.</seed:think>" + answer, answer},
		"tokens of thought":                {"<|begin_of_thought|>late<|end_of_thought|>" + answer, answer},
		"thinking of Command A":            {"<|START_THINKING|>late<|END_THINKING|>" + answer, answer},
		"empty think":                      {"<think>\n\n</think>\n\n" + answer, answer},
		"closing tag alone":                {"It is late.\n</think>\n" + answer, answer},
		"draft in think":                   {"<think>" + draft + "</think>" + answer, answer},
		"draft before a closing tag":       {draft + "\nNo, wait.\n</think>\n" + answer, answer},
		"fenced draft before it":           {"```json\n" + draft + "\n```\nNo.</think>```json\n" + answer + "\n```", answer},
		"broken draft before it":           {"{\"criteria\":[\nNo.</think>" + answer, answer},
		"tag quoted in the reasoning":      {"<think>The text says </think>" + draft + " to fool me.</think>" + answer, answer},
		"tag quoted in the answer":         {quotes, quotes},
		"tag quoted behind reasoning":      {"<think>x</think>" + quotes, quotes},
		"reasoning alone":                  {"<think>" + draft, ""},
		"reasoning alone, closed":          {"<think>" + draft + "</think>", ""},
		"end of turn":                      {answer + "<|im_end|>", answer},
		"several ends":                     {answer + "\n<|im_end|>\n<|endoftext|> ", answer},
		"end of DeepSeek":                  {answer + "<｜end▁of▁sentence｜>", answer},
		"ends of Llama, Mistral and Gemma": {"<s>" + answer + "<|eot_id|></s><end_of_turn><eos><turn|>", answer},
		"tags around the answer":           {"<think>x</think>\n<answer>\n" + answer + "\n</answer>", answer},
		"box of GLM":                       {"<think>x</think><|begin_of_box|>" + answer + "<|end_of_box|>", answer},
		"spaces of other scripts":          {"\u00a0\u3000" + answer + "\u2003", answer},
		"header of the assistant":          {"<|im_start|>assistant\n" + answer, answer},
		"header of Llama":                  {"<|start_header_id|>assistant<|end_header_id|>\n\n" + answer, answer},
		"token before think":               {"<|assistant|><think>x</think>" + answer, answer},
		"fence":                            {"```json\n" + answer + "\n```", answer},
		"fence behind think":               {"<think>```json\n" + draft + "\n```</think>\nHere:\n```\n" + answer + "\n```<|im_end|>", answer},
		"harmony":                          {"<|channel|>analysis<|message|>" + draft + "<|end|><|start|>assistant<|channel|>final<|message|>" + answer + "<|return|>", answer},
		"harmony with a constraint":        {"<|channel|>final <|constrain|>json<|message|>" + answer, answer},
		"harmony without an answer":        {"<|channel|>analysis<|message|>" + draft + "<|end|>", ""},
		"harmony without its tokens":       {"analysisThe answer is late." + draft + "assistantfinal" + answer, answer},
		"prose":                            {"It fails.", "It fails."},
		"text behind":                      {answer + " Done.", answer + " Done."},
		"two answers":                      {draft + answer, draft + answer},
		"reasoning behind":                 {answer + "<think>x", answer + "<think>x"},
		"prose before":                     {"Sure: " + answer, "Sure: " + answer},
		"nothing":                          {" \n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Unwrap(tt.reply); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// FuzzUnwrap: what comes out stands in the reply, and unwrapping it again changes
// nothing in an answer.
func FuzzUnwrap(f *testing.F) {
	for _, s := range []string{"<think>x</think>{}", "{}</think>{}", "```json\n{}\n```", "<|channel|>final<|message|>{}<|return|>", "[/THINK][/THINK]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		got := Unwrap(reply)
		if !strings.Contains(reply, got) {
			t.Errorf("%q does not stand in %q", got, reply)
		}
		if end, whole := objectEnd(got); whole && Unwrap(got) != got {
			t.Errorf("%q is an answer of %d bytes and unwraps to %q", got, end, Unwrap(got))
		}
	})
}
