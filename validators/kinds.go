package validators

import "github.com/evalworker/evalworker/eval"

// Kind describes one kind of validator.
type Kind struct {
	Name        string    // value of "type" in the configuration
	Type        eval.Type // type of its verdicts
	Description string    // one sentence
	Options     []string  // configuration keys that it accepts
}

// kind is a Kind with its implementation.
type kind struct {
	Kind
	revision int // raised whenever the same event could get another verdict
	build    func(*builder) answer
	facts    bool // reads more than content, so that an event without content may have a verdict too
}

// table returns every kind, in the order of the documentation. A new kind is a file
// with its build function, a row here, a field of [Config] for each new option, and
// a line in the test's configs.
func table() []kind {
	rule := func(name, description string, revision int, build func(*builder) answer, options ...string) kind {
		return kind{Kind: Kind{name, eval.TypeRule, description, options}, revision: revision, build: build}
	}
	facts := func(k kind) kind {
		k.facts = true
		return k
	}
	return []kind{
		{Kind: Kind{"json_schema", eval.TypeJSONSchema, "The output is strict JSON and satisfies a JSON Schema.", []string{"schema"}}, revision: 3, build: buildJSONSchema},
		rule("tool_calls", "Every tool call of the event or its output names an offered tool, has arguments that satisfy its schema, and succeeded.", 3, buildToolCalls),
		rule("contains", "The output contains, or does not contain, given phrases.", 3, buildContains, "any", "all", "none", "case_sensitive"),
		rule("regex", "The output matches, or does not match, a pattern (RE2).", 3, buildRegex, "pattern", "negate"),
		rule("length", "The output is neither too short nor too long.", 3, buildLength, "min_chars", "max_chars", "min_words", "max_words"),
		rule("equals", "The output equals a given text, or the event's expected answer.", 3, buildEquals, "value", "case_sensitive"),
		rule("substance", "The output says something: it is not empty, not only punctuation, no bare opener and no echo of the input.", 3, buildSubstance),
		facts(rule("refusal", "The output is no refusal (heuristic; English, and the commonest sentences of German, French, Spanish, Italian and Portuguese).", 5, buildRefusal, "allowed")),
		rule("pii", "The output holds no personal data.", 3, buildPII, "kinds", "allow_in_input"),
		rule("secrets", "The output holds no credentials.", 3, buildSecrets, "kinds", "allow_in_input"),
		rule("citations", "Every id that the output cites was retrieved.", 3, buildCitations, "required", "format"),
		facts(rule("retrieval", "The search found enough, and well enough.", 1, buildRetrieval, "min_hits", "min_top_score")),
		facts(rule("budget", "Latency, tokens and cost stay within bounds, and the model stopped for a good reason.", 2, buildBudget,
			"max_latency_ms", "max_first_token_latency_ms", "max_input_tokens", "max_output_tokens", "max_cost_usd", "finish_reasons")),
		rule("groundedness", "The words of the output occur in the retrieved text (lexical: it knows words, not meaning).", 3, buildGroundedness, "min_share"),
	}
}

// Kinds returns all kinds of validator.
func Kinds() []Kind {
	var out []Kind
	for _, k := range table() {
		out = append(out, k.Kind)
	}
	return out
}

// Options returns the configuration keys that a kind accepts; none for an unknown
// kind.
func Options(kind string) []string {
	k, _ := lookup(kind)
	return k.Options
}

func lookup(name string) (kind, bool) {
	for _, k := range table() {
		if k.Name == name {
			return k, true
		}
	}
	return kind{}, false
}

// Labels returns the labels that the verdicts of a kind can have; none for an
// unknown kind.
func Labels(kind string) []string {
	switch kind {
	case "json_schema":
		return []string{labelValid, labelInvalidSchema, labelWrapped, labelTruncated, labelInvalidJSON, labelUnknownSchema}
	case "tool_calls":
		return []string{labelValid, labelUnchecked, labelRenamed, labelEncodedTwice, labelUnknownTool, labelInvalidJSON, labelTruncated, labelInvalidArguments, labelFailedTool}
	case "contains":
		return []string{"contains", "missing", "forbidden"}
	case "regex":
		return []string{"match", "no_match"}
	case "length":
		return []string{"within", "too_short", "too_long"}
	case "equals":
		return []string{labelEqual, labelDifferent}
	case "substance":
		return []string{"substance", "empty", "symbols", "stub", "echo"}
	case "refusal":
		return []string{labelAnswered, labelPartial, labelRefused}
	case "pii", "secrets":
		return []string{"clean", "found"}
	case "citations":
		return []string{labelCited, labelUncited, labelUnknownSource}
	case "retrieval":
		return []string{"found", "insufficient"}
	case "budget":
		return []string{"within", "exceeded"}
	case "groundedness":
		return []string{labelGrounded, labelUngrounded}
	}
	return nil
}
