package judges

import (
	"regexp"
	"strings"
)

// controlTokens are the tokens with which chat templates separate roles, tools and
// reasoning. On a server that does not escape them, content could pose as another
// message. Ordinary text in brackets, such as [TODO], is none of them.
var controlTokens = []struct {
	templates string
	patterns  []string // of regular expressions
}{
	{"ChatML (Qwen, Yi), Llama 3 and 4, Phi, GLM, Command R, Granite, gpt-oss, DeepSeek, Gemma 4", []string{
		`<[|｜][^<>|｜\s]{1,64}[|｜]?>`, `<[a-z_"]{1,32}[|｜]>`,
	}},
	{"Llama 2 and Mistral", []string{`\[/?INST\]`, `<</?SYS>>`}},
	{"Mistral", []string{
		`\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS|TOOL_CONTENT|MODEL_SETTINGS|THINK)\]`,
		`\[(?:ARGS|CALL_ID|IMG|IMG_BREAK|IMG_END|PREFIX|SUFFIX|MIDDLE|BEGIN_AUDIO|AUDIO)\]`,
	}},
	{"GLM", []string{`\[[gs]?MASK\]`, `<[se]op>`}},
	{"SentencePiece (Llama, Mistral, Gemma, T5)", []string{`</?s>`, `<(?:bos|eos|pad|unk)>`, `<extra_id_\d{1,3}>`}},
	{"Command R and Jamba", []string{`<(?:BOS|EOS|PAD|UNK)_TOKEN>`}},
	{"Gemma", []string{`<(?:start|end)_of_(?:turn|image)>`}},
	{"BERT and its relatives", []string{`\[(?:BOS|EOS|CLS|SEP|PAD|UNK)\]`}},
	{"DeepSeek R1, Qwen 3, Seed and others that think", []string{`</?(?:seed:)?think(?:ing)?>`, `◁/?think▷`}},
	{"Hermes and Qwen, tools", []string{`</?tool_(?:call|calls|response|responses)>`, `</?tools>`}},
	{"MiniMax", []string{`\](?:~!?b|!p)(?:\[|\])`, `\[e~\[`}},
}

// roleMarkers matches a control token.
var roleMarkers = func() *regexp.Regexp {
	var all []string
	for _, t := range controlTokens {
		all = append(all, t.patterns...)
	}
	return regexp.MustCompile(`(?i)` + strings.Join(all, "|"))
}()
