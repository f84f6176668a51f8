package validators

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// keptToolsets bounds how many different lists of tools are kept compiled. An
// application has a few; when more are in use, they are compiled again.
const keptToolsets = 128

// buildToolCalls builds a validator of the calls that a model made, in the list of the
// event or else in its output. In this order of gravity, a call fails that
//
//   - names a tool which was not offered,
//   - has arguments that are not a JSON object, nor a string with one, nor absent,
//   - has arguments that the tool's schema rejects,
//   - has a status that means failure.
//
// A call in no known form cannot be judged, and one that has not ended is not judged.
// One failing call decides; the reason is about the first, and the score is the share
// of calls without a failure among those that were judged.
//
// If an event does not say which tools it offered, only arguments and status are
// checked, and a pass has the label "unchecked"; the same holds for tools that the
// provider or an MCP server runs and the event does not list.
func buildToolCalls(*builder) answer {
	known := newLRU[[sha256.Size]byte, *toolset](keptToolsets)
	return func(ctx context.Context, e *event.Event) (eval.Verdict, error) {
		calls := e.Calls()
		if len(calls) == 0 {
			return eval.NotApplicable("tool_calls"), nil
		}
		var tools *toolset
		if raw := bytes.TrimSpace(e.OfferedTools().Raw()); len(raw) > 0 {
			tools = known.get(sha256.Sum256(raw), func() *toolset { return newToolset(event.JSON(raw)) })
		}
		var sum summary
		for i := range calls {
			if err := ctx.Err(); err != nil {
				return eval.Verdict{}, err
			}
			if calls[i].IsPiece() { // so the call before it is not whole
				return cannotJudge(reasonPieces), nil
			}
			f, err := tools.judgeCall(ctx, &calls[i])
			if err != nil {
				return eval.Verdict{}, err
			}
			sum.add(f)
		}
		return sum.verdict(), nil
	}
}

// Labels of tool_calls besides those of json_schema.
const (
	labelUnknownTool      = "unknown_tool"
	labelFailedTool       = "failed_tool"
	labelInvalidArguments = "invalid_arguments"
	labelUnchecked        = "unchecked"
	labelEncodedTwice     = "encoded_twice"
	labelRenamed          = "renamed"
)

// Why a call was not judged.
const (
	reasonUnreadable = "a call in no known form"
	reasonPending    = "no call has ended"
	reasonWrapper    = "several calls in one"
	reasonPieces     = "calls in pieces"
)

// finding is what is to be said about one call.
type finding struct {
	outcome eval.Outcome
	label   string
	reason  string
}

// and returns what is to be said about two calls, or two sides of one, of which f passes.
func (f finding) and(g finding) finding {
	if g.outcome != eval.OutcomePass || notable(g.label) > notable(f.label) || g.label == f.label && f.reason == "" {
		return g
	}
	return f
}

// notable orders the labels of calls that pass, the one that says most last.
func notable(label string) int {
	return slices.Index([]string{labelValid, labelUnchecked, labelRenamed, labelEncodedTwice}, label)
}

// summary combines the findings about the calls of an event.
type summary struct {
	failed, passed     int
	firstFailed        finding
	passes             finding // the most notable
	undecided, pending string
}

func (s *summary) add(f finding) {
	switch f.outcome {
	case eval.OutcomeFail:
		s.firstFailed = cmp.Or(s.firstFailed, f)
		s.failed++
	case eval.OutcomePass:
		s.passes = cmp.Or(s.passes, f).and(f)
		s.passed++
	case eval.OutcomeNotApplicable:
		s.pending = f.reason
	default:
		s.undecided = cmp.Or(s.undecided, f.reason)
	}
}

func (s *summary) verdict() eval.Verdict {
	switch {
	case s.failed > 0:
		v := fail(s.firstFailed.label, s.firstFailed.reason)
		v.Score = 1 - float64(s.failed)/float64(s.failed+s.passed)
		return v
	case s.undecided != "":
		return cannotJudge(s.undecided)
	case s.passed == 0:
		return eval.Verdict{Outcome: eval.OutcomeNotApplicable, Reason: s.pending}
	}
	v := pass(s.passes.label)
	v.Reason = s.passes.reason
	return v
}

// judgeCall judges one call. A nil toolset does not know which tools were offered, so
// it accepts every name.
func (t *toolset) judgeCall(ctx context.Context, call *event.ToolCall) (finding, error) {
	switch {
	case call.Name == "":
		return finding{outcome: eval.OutcomeCannotJudge, reason: reasonUnreadable}, nil
	case call.Pending():
		return finding{outcome: eval.OutcomeNotApplicable, reason: reasonPending}, nil
	}
	called, name, f := t.find(call)
	if f.outcome != eval.OutcomeFail && !called.freeText {
		checked, err := called.checkArguments(ctx, call.Arguments)
		if err != nil {
			return finding{}, err
		}
		if checked.reason != "" {
			checked.reason = name + ": " + checked.reason
		}
		if checked.outcome == eval.OutcomeFail || f.outcome == eval.OutcomePass {
			f = f.and(checked)
		}
	}
	if call.Failed() && f.outcome != eval.OutcomeFail {
		f = finding{eval.OutcomeFail, labelFailedTool, name + " failed"}
	}
	return f, nil
}

// find returns the tool that a call means, and its name as a reason may show it: a
// name that was not offered is content.
func (t *toolset) find(call *event.ToolCall) (tool, string, finding) {
	const hidden = "tool *"
	unlisted := tool{freeText: call.Type != event.CallFunction}
	if t == nil {
		return unlisted, hidden, finding{eval.OutcomePass, labelUnchecked, ""}
	}
	if t.bad != "" {
		return unlisted, hidden, finding{outcome: eval.OutcomeCannotJudge, reason: t.bad}
	}
	name, f := call.Name, finding{eval.OutcomePass, labelValid, ""}
	called, ok := t.tools[name]
	if !ok {
		name = event.BareToolName(name)
		called, ok = t.tools[name]
		f.label = labelRenamed
	}
	switch {
	case ok:
	case call.Type == event.CallServer || t.open:
		return unlisted, hidden, finding{eval.OutcomePass, labelUnchecked, ""}
	case t.unread:
		return unlisted, hidden, finding{outcome: eval.OutcomeCannotJudge, reason: toolsUnreadable}
	case isWrapper(call):
		return unlisted, hidden, finding{outcome: eval.OutcomeCannotJudge, reason: reasonWrapper}
	default:
		return unlisted, hidden, finding{eval.OutcomeFail, labelUnknownTool, "unknown tool"}
	}
	shown := hidden
	if isPlain(name, maxToolName) {
		shown = "tool " + name
	}
	if f.label == labelRenamed {
		f.reason = shown + ": the call adds to its name"
	}
	return called, shown, f
}

// isWrapper reports whether a call is the one in which models of OpenAI now and then
// put several. Some libraries take them out, and in others the call fails.
func isWrapper(call *event.ToolCall) bool {
	return (call.Name == "parallel" || call.Name == "multi_tool_use.parallel") && bytes.Contains(call.Arguments.Raw(), []byte("recipient_name"))
}

// checkArguments judges the arguments of a call.
func (t tool) checkArguments(ctx context.Context, arguments event.Content) (finding, error) {
	text, twice := argumentsText(arguments)
	found, ok := scanWhole(text)
	switch text = trimJSON(text); {
	case found.flaw == jsonscan.FlawTruncated:
		return finding{eval.OutcomeFail, labelTruncated, "arguments end too early"}, nil
	case !ok:
		return finding{eval.OutcomeFail, labelInvalidJSON, "arguments are no JSON"}, nil
	case text[0] != '{':
		return finding{eval.OutcomeFail, labelInvalidArguments, "arguments are no object"}, nil
	case t.bad:
		return finding{outcome: eval.OutcomeCannotJudge, reason: "schema does not compile"}, nil
	case t.patterned && len(text) > maxToolText:
		return finding{outcome: eval.OutcomeCannotJudge, reason: "arguments too large"}, nil
	}
	if t.schema != nil {
		reason, err := t.schema.check(ctx, text, found)
		if err != nil || reason != "" {
			return finding{eval.OutcomeFail, labelInvalidArguments, reason}, err
		}
	}
	switch {
	case twice:
		return finding{eval.OutcomePass, labelEncodedTwice, "arguments are encoded twice"}, nil
	case t.unknown && t.leftOut != "":
		return finding{eval.OutcomePass, labelUnchecked, "left out " + t.leftOut}, nil
	case t.unknown:
		return finding{eval.OutcomePass, labelUnchecked, "schema in no known form"}, nil
	case t.leftOut != "":
		return finding{eval.OutcomePass, labelValid, "left out " + t.leftOut}, nil
	}
	return finding{eval.OutcomePass, labelValid, ""}, nil
}

// argumentsText returns the JSON text of arguments, and whether it was encoded more
// than once. Nothing and null are how a call of a tool without parameters is often
// written, and [] is how PHP writes an empty object.
func argumentsText(arguments event.Content) (text string, twice bool) {
	const most = 3
	raw := bytes.TrimSpace(arguments.Raw())
	if string(raw) == "[]" {
		return "{}", false
	}
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	text = trimJSON(text)
	for n := 1; n < most && strings.HasPrefix(text, `"`); n++ {
		if _, whole := scanWhole(text); !whole {
			break
		}
		inner, err := jsonscan.Unquote(text)
		if err != nil {
			break
		}
		text, twice = trimJSON(inner), true
	}
	if text == "" || text == "null" {
		return "{}", twice
	}
	return text, twice
}
