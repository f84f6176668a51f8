package event

import (
	"bytes"
)

// usage is what providers say about the tokens of a request.
type usage struct {
	input, output, total count
	cache                int64 // tokens of the prompt that Anthropic and Bedrock count apart
	extra                int64 // tokens of the prompt and the answer that Gemini counts apart
	thoughts             int64
	apart                bool // the counts of the prompt leave the cache out
}

// count is a number of tokens, and the member that says so.
type count struct {
	n     int64
	at    string
	known bool
}

// isUsage reports whether a folded name is that of an object with counts of tokens.
func isUsage(folded []byte) bool {
	switch string(folded) {
	case "usage", "usagemetadata", "tokenusage", "totalusage", "tokens", "billedunits":
		return true
	}
	return false
}

// maxTokens is far above what any model takes or writes in one request.
const maxTokens = 1 << 53

// readUsage reads an object with counts in the words of any provider. bad gets the name of
// a count that is none. It reports whether there is one that is known.
func readUsage(raw []byte, bad func(name string, value []byte)) (u usage, ok bool) {
	u.readMembers(raw, bad)
	u.settle()
	return u, u.known()
}

func (u *usage) known() bool { return u.input.known || u.output.known || u.total.known }

func (u *usage) readMembers(raw []byte, bad func(name string, value []byte)) {
	for m := membersOf(raw); ; {
		key, value, ok := m.member()
		if !ok {
			return
		}
		folded := foldMember(m.folded[:0], key)
		if jsonKind(value) == "object" && isUsage(folded) { // of Cohere, which also says what it bills
			if string(folded) != "billedunits" || !u.known() {
				u.readMembers(value, bad)
			}
			continue
		}
		u.member(folded, key, value, bad)
	}
}

// member takes one member of a usage, or of a response that has counts beside its text.
func (u *usage) member(folded, key, value []byte, bad func(name string, value []byte)) {
	var into *count
	var more *int64
	switch string(folded) {
	case "prompttokens", "prompttokencount", "promptevalcount", "requesttokens", "inputtexttokencount", "totalinputtokens", "tokensevaluated", "inputtokencount",
		"input": // of Langfuse
		into = &u.input
	case "inputtokens":
		into, u.apart = &u.input, true
	case "completiontokens", "outputtokens", "outputtokencount", "candidatestokencount", "responsetokencount", "evalcount", "responsetokens",
		"generationtokencount", "totaloutputtokens", "tokenspredicted", "output":
		into = &u.output
	case "totaltokens", "totaltokencount", "total":
		into = &u.total
	case "cachereadinputtokens", "cachecreationinputtokens", "cachewriteinputtokens":
		more = &u.cache
	case "tooluseprompttokencount":
		more = &u.extra
	case "thoughtstokencount", "totalthoughttokens":
		more = &u.thoughts
	default:
		return
	}
	if inner, ok := fieldNamed(value, "total"); ok { // Vercel: {"total": 7, "cacheRead": 3}
		value = inner
	}
	n, ok := tokenCount(value)
	switch {
	case !isPresent(value) || string(value) == `""`:
	case !ok:
		bad(stringOf(key), value)
	case into != nil:
		*into = count{n, stringOf(key), true}
	default:
		*more += n
	}
}

// settle adds what a provider counts apart. Proxies add the cache to the prompt already,
// which the total tells.
func (u *usage) settle() {
	whole := u.total.known && u.output.known && u.total.n == u.input.n+u.output.n
	if u.apart && u.input.known && !whole {
		u.input.n += u.cache
	}
	if u.input.known {
		u.input.n += u.extra
	}
	if u.output.known || u.thoughts > 0 && u.input.known {
		u.output.n, u.output.known = u.output.n+u.thoughts, true
	}
}

// tokenCount reads a number of tokens, which may be a float or a text.
func tokenCount(value []byte) (int64, bool) {
	digits := bytes.Trim(value, `" `)
	if len(digits) == 0 || digits[0] != '-' && (digits[0] < '0' || digits[0] > '9') {
		return 0, false
	}
	n, ok := wholeNumber(digits)
	return n, ok && n >= 0 && n < maxTokens
}

// fieldNamed returns the member of an object with a folded name.
func fieldNamed(object []byte, folded string) (value []byte, ok bool) {
	if jsonKind(object) != "object" {
		return nil, false
	}
	for m := membersOf(object); ; {
		name, value, ok := m.next()
		if !ok {
			return nil, false
		}
		if string(name) == folded {
			return value, true
		}
	}
}

// facts are what a provider's response says beside the answer.
type facts struct {
	usage
	model     string
	latencyMS *float64
}

// mayHaveFacts reports whether an output can be a response with its usage. Most outputs
// are texts, or JSON without these words, and are not read for this question.
func mayHaveFacts(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '{' && raw[0] != '[' && (raw[0] != '"' || raw[1] != '{') {
		return false
	}
	for _, word := range [...]string{"usage", "Usage", "oken", "eval_count"} {
		if bytes.Contains(raw, []byte(word)) {
			return true
		}
	}
	return false
}

// factsOf reads a response, or a string that holds one, and reports whether it has counts
// of tokens. A value without them may be the model's own JSON.
func factsOf(raw []byte, bad func(name string, value []byte)) (f facts, ok bool) {
	if len(raw) > 0 && raw[0] == '"' {
		raw = []byte(stringOf(raw))
		if !isDocument(string(raw)) {
			return facts{}, false
		}
	}
	if chunks, ok := listOf(raw); ok { // of a stream of Gemini, of which the last has all
		for chunk, ok := chunks.next(); ok; chunk, ok = chunks.next() {
			raw = chunk
		}
	}
	f.read(raw, bad, true)
	f.settle()
	return f, f.known()
}

func (f *facts) read(raw []byte, bad func(name string, value []byte), whole bool) {
	total := []byte(nil)
	for m := membersOf(raw); ; {
		key, value, ok := m.member()
		if !ok {
			break
		}
		switch folded := foldMember(m.folded[:0], key); string(folded) {
		case "totalusage":
			total = value
		case "usage", "usagemetadata", "tokenusage":
			if jsonKind(value) == "object" {
				name := stringOf(key)
				f.readMembers(value, func(inner string, value []byte) { bad(name+"."+inner, value) })
			}
		case "model", "modelversion", "modelid", "modelname":
			if s := stringOf(value); isModelName(s) {
				f.model = s
			}
		case "metrics":
			if ms, ok := fieldNamed(value, "latencyms"); ok {
				if n, ok := milliseconds(ms, unitMS); ok {
					f.latencyMS = &n
				}
			}
		case "responsemetadata", "response", "body":
			if whole && jsonKind(value) == "object" {
				f.read(value, bad, string(folded) == "response") // a line of a batch: response.body
			}
		default:
			if isCount(folded) {
				f.member(folded, key, value, bad)
			}
		}
	}
	if total != nil && !f.known() {
		f.readMembers(total, bad)
	}
}

// isCount reports whether a folded name is that of a count that some providers write beside
// the answer. Others, such as total_tokens, may be a number in a model's own JSON.
func isCount(folded []byte) bool {
	switch string(folded) {
	case "promptevalcount", "evalcount", "prompttokencount", "generationtokencount", "inputtexttokencount", "tokensevaluated", "tokenspredicted":
		return true
	}
	return false
}

// isPresent reports whether a member is there and not null.
func isPresent(value []byte) bool { return len(value) > 0 && value[0] != 'n' }
