package validators

import (
	"testing"

	"github.com/evalworker/evalworker/eval"
)

// verdictCase is one line of the tables below.
type verdictCase struct {
	config Config
	fields string
	want   want
}

func runCases(t *testing.T, cases map[string]verdictCase) {
	t.Helper()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkVerdict(t, evaluate(t, newValidator(t, tt.config, nil), newEvent(t, tt.fields)), tt.want)
		})
	}
}

var noOutput = want{eval.OutcomeNotApplicable, "", "missing output"}

func TestContains(t *testing.T) {
	t.Parallel()
	some := Config{Type: "contains", Any: []string{"refund", "money back"}}
	all := Config{Type: "contains", All: []string{"order", "Tuesday"}, CaseSensitive: true}
	none := Config{Type: "contains", None: []string{"guarantee"}}
	ok := want{eval.OutcomePass, "contains", ""}
	runCases(t, map[string]verdictCase{
		"any":              {some, `"output":"Your MONEY BACK soon"`, ok},
		"any absent":       {some, `"output":"Your money is back"`, want{eval.OutcomeFail, "missing", "any absent"}},
		"all":              {all, `"output":"order by Tuesday"`, ok},
		"all, other case":  {all, `"output":"order by tuesday"`, want{eval.OutcomeFail, "missing", "all[1] absent"}},
		"none":             {none, `"output":"we try"`, ok},
		"none present":     {none, `"output":"Guaranteed"`, want{eval.OutcomeFail, "forbidden", "none[0] present"}},
		"empty output":     {some, `"output":""`, want{eval.OutcomeFail, "missing", "any absent"}},
		"no output":        {some, `"input":"refund"`, noOutput},
		"JSON output":      {some, `"output":{"text":"refund"}`, ok},
		"assistant":        {some, `"output":{"role":"assistant","content":"refund"}`, ok},
		"role is no text":  {Config{Type: "contains", None: []string{"assistant"}}, `"output":{"role":"assistant","content":"hi"}`, ok},
		"folded non-ASCII": {Config{Type: "contains", Any: []string{"ÜBER"}}, `"output":"über"`, ok},
	})
}

func TestRegex(t *testing.T) {
	t.Parallel()
	must := Config{Type: "regex", Pattern: `^\d{4}$`}
	mustNot := Config{Type: "regex", Pattern: `(?i)\bcompetitor\b`, Negate: true}
	runCases(t, map[string]verdictCase{
		"match":             {must, `"output":"1234"`, want{eval.OutcomePass, "match", ""}},
		"no match":          {must, `"output":"12345"`, want{eval.OutcomeFail, "no_match", "pattern does not match"}},
		"negated":           {mustNot, `"output":"none of our competitors"`, want{eval.OutcomePass, "no_match", ""}},
		"negated and found": {mustNot, `"output":"our Competitor"`, want{eval.OutcomeFail, "match", "pattern matches"}},
		"no output":         {must, `"input":"1234"`, noOutput},
	})
}

func TestLength(t *testing.T) {
	t.Parallel()
	chars := Config{Type: "length", MinChars: new(2), MaxChars: new(4)}
	words := Config{Type: "length", MinWords: new(2), MaxWords: new(3)}
	ok := want{eval.OutcomePass, "within", ""}
	runCases(t, map[string]verdictCase{
		"characters, not bytes": {chars, `"output":"äöüß"`, ok},
		"one too few":           {chars, `"output":"ä"`, want{eval.OutcomeFail, "too_short", "below min_chars"}},
		"one too many":          {chars, `"output":"äöüßé"`, want{eval.OutcomeFail, "too_long", "above max_chars"}},
		"two words":             {words, `"output":" two\n words "`, ok},
		"one word":              {words, `"output":"one"`, want{eval.OutcomeFail, "too_short", "below min_words"}},
		"four words":            {words, `"output":"one two three four"`, want{eval.OutcomeFail, "too_long", "above max_words"}},
		"no words":              {words, `"output":""`, want{eval.OutcomeFail, "too_short", "below min_words"}},
		"no output":             {words, `"input":"x"`, noOutput},
	})
}

func TestEquals(t *testing.T) {
	t.Parallel()
	expected, value := Config{Type: "equals"}, Config{Type: "equals", Value: "Yes", CaseSensitive: true}
	equal, different := want{eval.OutcomePass, "equal", ""}, want{eval.OutcomeFail, "different", "output differs"}
	runCases(t, map[string]verdictCase{
		"expected":             {expected, `"output":" in  May\n","expected":"In may"`, equal},
		"other":                {expected, `"output":"in June","expected":"in May"`, different},
		"part":                 {expected, `"output":"in May 2026","expected":"in May"`, different},
		"value":                {value, `"output":"Yes"`, equal},
		"value, other case":    {value, `"output":"yes"`, different},
		"value over expected":  {value, `"output":"no","expected":"no"`, different},
		"JSON":                 {expected, `"output":{"b":[1.0,null],"a":"X"},"expected":{"a":"X","b":[1,null]}`, equal},
		"JSON as text":         {expected, `"output":"{\"a\": 1e2}","expected":{"a":100}`, equal},
		"JSON, case of a text": {expected, `"output":{"a":["x","y"]},"expected":{"a":["x","z"]}`, different},
		"JSON, another key":    {expected, `"output":{"a":1,"b":2},"expected":{"a":1,"c":2}`, different},
		"JSON, order of items": {expected, `"output":[1,2],"expected":[2,1]`, different},
		"JSON, a key twice":    {expected, `"output":"{\"refund\":false,\"refund\":true}","expected":{"refund":true}`, different},
		"absurd number":        {expected, `"output":[1e999999999],"expected":[2]`, different},
		"empty":                {expected, `"output":"","expected":"x"`, different},
		"no expected":          {expected, `"output":"x"`, want{eval.OutcomeNotApplicable, "", "missing expected"}},
		"no output":            {expected, `"expected":"x"`, noOutput},
	})
}

func TestSubstance(t *testing.T) {
	t.Parallel()
	c := Config{Type: "substance"}
	ok := want{eval.OutcomePass, "substance", ""}
	empty := want{eval.OutcomeFail, "empty", "empty output"}
	symbols := want{eval.OutcomeFail, "symbols", "no letter and no digit"}
	stub := want{eval.OutcomeFail, "stub", "only an opener"}
	echo := want{eval.OutcomeFail, "echo", "output repeats the input"}
	runCases(t, map[string]verdictCase{
		"answer":                   {c, `"output":"Yes."`, ok},
		"number":                   {c, `"output":"7"`, ok},
		"other script":             {c, `"output":"はい"`, ok},
		"empty":                    {c, `"output":""`, empty},
		"blank":                    {c, `"output":" \n\t\u00a0"`, empty},
		"no output":                {c, `"input":"x"`, noOutput},
		"only calls tools":         {c, `"output":{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}`, want{eval.OutcomeNotApplicable, "", "missing output.content"}},
		"only calls a tool, parts": {c, `"output":{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}`, want{eval.OutcomeNotApplicable, "", "missing output.content"}},
		"calls of the event":       {c, `"output":"","tool_calls":[{"name":"f"}]`, want{eval.OutcomeNotApplicable, "", "missing output"}},
		"null and null calls":      {c, `"output":{"role":"assistant","content":null,"tool_calls":null}`, empty},
		"list with roles":          {c, `"output":[{"role":"CEO","name":"Ada"}]`, ok},
		"null and no call":         {c, `"output":{"role":"assistant","content":null}`, empty},
		"punctuation":              {c, `"output":"..."`, symbols},
		"emoji":                    {c, `"output":"👍"`, symbols},
		"fence of nothing":         {c, "\"output\":\"```\\n\\n```\"", symbols},
		"empty object":             {c, `"output":{}`, want{eval.OutcomeFail, "empty", "empty JSON value"}},
		"object":                   {c, `"output":{"a":1}`, ok},
		"opener":                   {c, `"output":"Thought process:"`, stub},
		"opener in bold":           {c, `"output":"**Thought Process:**\n"`, stub},
		"opener, curly quote":      {c, `"output":"Let’s solve this problem step by step."`, stub},
		"heading":                  {c, `"output":"## Solution:"`, stub},
		"opener with an answer":    {c, `"output":"Solution: 42"`, ok},
		"word that is an answer":   {c, `"output":"Sure."`, ok},
		"word before a colon":      {c, `"output":"Sure:"`, stub},
		"echo":                     {c, `"input":"When will my order arrive?","output":"when will my order arrive"`, echo},
		"echo of the last turn":    {c, `"input":[{"role":"system","content":"Be kind."},{"role":"user","content":"When will my order arrive?"}],"output":"When will my order arrive?"`, echo},
		"echo and more":            {c, `"input":"When will my order arrive?","output":"When will my order arrive? On Monday."`, ok},
		"greeting":                 {c, `"input":"Hello!","output":"Hello!"`, ok},
		"short input":              {c, `"input":"yes or no","output":"Yes or no?"`, ok},
		"no input":                 {c, `"output":"When will my order arrive?"`, ok},
		"empty input and answer?":  {c, `"input":"","output":"x"`, ok},
	})
}

// TestEscapes: the same value gets the same verdict, whether it was published in
// UTF-8 or with escapes, as Python's and Go's libraries write it.
func TestEscapes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config  Config
		outcome eval.Outcome
	}{
		"contains":     {Config{Type: "contains", None: []string{"désolé"}}, eval.OutcomeFail},
		"contains &":   {Config{Type: "contains", All: []string{"R&D"}}, eval.OutcomePass},
		"regex":        {Config{Type: "regex", Pattern: `désolé`, Negate: true}, eval.OutcomeFail},
		"length":       {Config{Type: "length", MaxChars: new(20)}, eval.OutcomePass},
		"equals":       {Config{Type: "equals", Value: `{"a":"désolé, R&D"}`}, eval.OutcomePass},
		"groundedness": {Config{Type: "groundedness"}, eval.OutcomePass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, tt.config, nil)
			for _, output := range []string{`{"a":"désolé, R&D"}`, `{"a":"d\u00e9sol\u00e9, R\u0026D"}`} {
				got := evaluate(t, v, newEvent(t, `"retrieval":{"chunks":[{"text":"a désolé R&D"}]},"output":`+output))
				if got.Outcome != tt.outcome {
					t.Errorf("%s: %s %s", output, got.Outcome, got.Reason)
				}
			}
		})
	}
}

func TestRetrieval(t *testing.T) {
	t.Parallel()
	hits := Config{Type: "retrieval"}
	score := Config{Type: "retrieval", MinTopScore: new(0.5)}
	both := Config{Type: "retrieval", MinHits: new(int64(2)), MinTopScore: new(0.5)}
	ok := want{eval.OutcomePass, "found", ""}
	short := func(reason string) want { return want{eval.OutcomeFail, "insufficient", reason} }
	runCases(t, map[string]verdictCase{
		"a hit":                      {hits, `"retrieval":{"hit_count":1}`, ok},
		"no hit":                     {hits, `"retrieval":{"hit_count":0}`, short("min_hits")},
		"chunks counted":             {hits, `"retrieval":{"chunks":[{}]}`, ok},
		"no chunks":                  {hits, `"retrieval":{"chunks":[]}`, short("min_hits")},
		"hits unknown":               {hits, `"retrieval":{"index":"kb"}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.hit_count"}},
		"no retrieval":               {hits, `"output":"x"`, want{eval.OutcomeNotApplicable, "", "missing retrieval"}},
		"score at the bound":         {score, `"retrieval":{"top_score":0.5}`, ok},
		"score below":                {score, `"retrieval":{"top_score":0.49}`, short("min_top_score")},
		"score of the best chunk":    {score, `"retrieval":{"chunks":[{"score":0.1},{"score":0.9},{}]}`, ok},
		"score unknown":              {score, `"retrieval":{"chunks":[{}]}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.top_score"}},
		"nothing found has no score": {score, `"retrieval":{"hit_count":0}`, short("min_top_score")},
		"both broken":                {both, `"retrieval":{"hit_count":1,"top_score":0}`, short("min_hits, min_top_score")},
		"one known":                  {both, `"retrieval":{"hit_count":2}`, ok},
		"neither known":              {both, `"retrieval":{}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.hit_count, retrieval.top_score"}},
	})
}

func TestBudget(t *testing.T) {
	t.Parallel()
	c := Config{
		Type: "budget", MaxLatencyMS: new(1000.0), MaxFirstTokenLatencyMS: new(200.0), MaxInputTokens: new(int64(10)), MaxOutputTokens: new(int64(5)),
		MaxCostUSD: new(0.01), FinishReasons: []string{"stop", "tool_calls"},
	}
	ok := want{eval.OutcomePass, "within", ""}
	runCases(t, map[string]verdictCase{
		"at every bound": {c, `"llm_latency_ms":1000,"first_token_latency_ms":200,"input_tokens":10,"output_tokens":5,"estimated_cost_usd":0.01,"finish_reason":"STOP"`, ok},
		"above every bound": {
			c, `"llm_latency_ms":1001,"first_token_latency_ms":201,"input_tokens":11,"output_tokens":6,"estimated_cost_usd":0.011,"finish_reason":"length"`,
			want{eval.OutcomeFail, "exceeded", "max_latency_ms, max_first_token_latency_ms, max_input_tokens, max_output_tokens, max_cost_usd, finish_reasons"},
		},
		"unknown facts are left out": {c, `"llm_latency_ms":10`, ok},
		"one of two":                 {c, `"llm_latency_ms":10,"finish_reason":"content_filter"`, want{eval.OutcomeFail, "exceeded", "finish_reasons"}},
		"Gemini's stop":              {c, `"finish_reason":"FinishReason.STOP"`, ok},
		"Anthropic's stop":           {c, `"finish_reason":"end_turn"`, ok},
		"in the response":            {c, `"output":{"role":"assistant","content":"a","stop_reason":"end_turn"}`, ok},
		"Anthropic's limit":          {Config{Type: "budget", FinishReasons: []string{"max_tokens"}}, `"finish_reason":"length"`, ok},
		"one's own reason":           {Config{Type: "budget", FinishReasons: []string{"handed_over"}}, `"finish_reason":"HANDED_OVER"`, ok},
		"another of one's own":       {Config{Type: "budget", FinishReasons: []string{"handed_over"}}, `"finish_reason":"gave_up"`, want{eval.OutcomeFail, "exceeded", "finish_reasons"}},
		"nothing known":              {Config{Type: "budget", MaxCostUSD: new(1.0)}, `"llm_latency_ms":10`, want{eval.OutcomeNotApplicable, "", "missing estimated_cost_usd"}},
		"zero is known":              {Config{Type: "budget", MaxCostUSD: new(1.0)}, `"estimated_cost_usd":0`, ok},
	})
	got := evaluate(t, newValidator(t, c, nil), newEvent(t, `"llm_latency_ms":10,"input_tokens":1,"output_tokens":9,"finish_reason":"stop"`))
	if got.Score != 0.75 {
		t.Errorf("score %v, want the share of known bounds that were kept, 0.75", got.Score)
	}
}
