package validators

import (
	"bytes"
	"context"
	"crypto/sha256"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/jsonscan"
)

// keptToolsets bounds how many different lists of tools are kept compiled. An
// application has a few; when more are in use, they are compiled again.
const keptToolsets = 128

// buildToolCalls builds a validator of the calls that a model made. In this order
// of gravity, a call fails that
//
//   - names a tool which was not offered,
//   - has arguments that are not a JSON object, nor a string with one, nor absent,
//   - has arguments that the tool's schema rejects,
//   - has a status other than success, ok and the like.
//
// The reason is about the first failing call; the score is the share of calls
// without a failure. If an event does not say which tools it offered, only
// arguments and status are checked, and a pass has the label "unchecked".
func buildToolCalls(*builder) answer {
	known := newLRU[[sha256.Size]byte, *toolset](keptToolsets)
	return func(ctx context.Context, e *event.Event) (eval.Verdict, error) {
		if len(e.ToolCalls) == 0 {
			return eval.NotApplicable("tool_calls"), nil
		}
		var tools *toolset
		if raw := bytes.TrimSpace(e.Tools.Raw()); len(raw) > 0 {
			tools = known.get(sha256.Sum256(raw), func() *toolset { return newToolset(raw) })
			if tools.bad != "" {
				return cannotJudge(tools.bad), nil
			}
		}
		var first eval.Verdict
		failed, undecided := 0, ""
		for i := range e.ToolCalls {
			if err := ctx.Err(); err != nil {
				return eval.Verdict{}, err
			}
			label, reason, err := tools.judgeCall(ctx, &e.ToolCalls[i])
			switch {
			case err != nil:
				return eval.Verdict{}, err
			case label == labelUndecided:
				undecided = reason
			case label != "":
				if failed == 0 {
					first = fail(label, reason)
				}
				failed++
			}
		}
		switch {
		case failed > 0:
			first.Score = 1 - float64(failed)/float64(len(e.ToolCalls))
			return first, nil
		case undecided != "":
			return cannotJudge(undecided), nil
		case tools == nil:
			return pass("unchecked"), nil
		}
		return pass(labelValid), nil
	}
}

// Labels of tool_calls besides those of json_schema.
const (
	labelUnknownTool      = "unknown_tool"
	labelFailedTool       = "failed_tool"
	labelInvalidArguments = "invalid_arguments"
	labelUndecided        = "undecided"
)

// judgeCall returns what is wrong with one call; the label is empty when nothing is. A
// nil toolset does not know which tools were offered, so it accepts every name.
func (t *toolset) judgeCall(ctx context.Context, call *event.ToolCall) (label, reason string, err error) {
	var called tool
	name := "tool *" // a name that was not offered is content
	if t != nil {
		var ok bool
		if called, ok = t.tools[call.Name]; !ok {
			return labelUnknownTool, "unknown tool", nil
		}
		if isPlain(call.Name, maxToolName) {
			name = "tool " + call.Name
		}
	}
	if !called.freeText {
		label, reason, err = called.checkArguments(ctx, call.Arguments)
	}
	switch {
	case err == nil && (label == "" || label == labelUndecided) && call.Failed():
		return labelFailedTool, name + " failed", nil
	case label == "" && err == nil:
		return "", "", nil
	}
	return label, name + ": " + reason, err
}

func (t tool) checkArguments(ctx context.Context, arguments event.Content) (label, reason string, err error) {
	text := "{}"
	if raw := bytes.TrimSpace(arguments.Raw()); len(raw) > 0 {
		text = string(raw)
		if raw[0] == '"' {
			text = event.JSON(raw).Plain()
		}
	}
	found, ok := scanWhole(text)
	switch text = trimJSON(text); {
	case text == "":
		return labelInvalidJSON, "arguments empty", nil
	case found.flaw == jsonscan.FlawTruncated:
		return labelTruncated, "arguments end too early", nil
	case !ok:
		return labelInvalidJSON, "arguments are no JSON", nil
	case text[0] != '{':
		return labelInvalidArguments, "arguments are no object", nil
	case t.bad:
		return labelUndecided, "schema does not compile", nil
	case t.schema == nil:
		return "", "", nil
	case t.patterned && len(text) > maxToolText:
		return labelUndecided, "arguments too large", nil
	}
	if reason, err = t.schema.check(ctx, text, found); reason != "" {
		label = labelInvalidArguments
	}
	return label, reason, err
}
