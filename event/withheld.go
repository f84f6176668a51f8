package event

import "slices"

// The values of [Event.ContentWithheld]. Any other value is kept and means the same: the
// content was withheld.
const (
	// WithheldTooLarge stands for an event that exceeded the limit of its publisher or
	// its topic.
	WithheldTooLarge = "too_large"
	// WithheldNotRedacted stands for an event whose content was to be redacted, or
	// prepared otherwise, and could not be.
	WithheldNotRedacted = "not_redacted"
)

// Withhold removes the content of the event and says why: input, output, expected
// answer, tools, comment, the query and the passages of the retrieval, and the arguments
// and results of calls. All else stays, so that usage, latency, status, ids and prompt
// are still counted: of a call its name and status, of a passage its id and score. What
// only the output says of them, as a provider's whole response does, is taken over first.
//
// Unless the reason is [WithheldTooLarge], what a model or an index may have written goes
// as well: names and types of calls, ids of passages, and all of a status but whether the
// call failed or succeeded.
//
// Withhold changes nothing that another copy of the event shares.
func (e *Event) Withhold(reason string) {
	e.ContentWithheld = reason
	e.fill() // what the output says of the model, its tokens and how it ended
	if calls := e.Calls(); len(calls) <= MaxItems {
		e.ToolCalls = calls // those that stand only in the output
	}
	e.Input, e.Output, e.Expected, e.Tools, e.Comment = Content{}, Content{}, Content{}, Content{}, ""
	names := reason == WithheldTooLarge
	if e.Retrieval != nil {
		r := *e.Retrieval
		r.Query, r.Chunks = "", slices.Clone(r.Chunks)
		for i := range r.Chunks {
			c := &r.Chunks[i]
			if c.Text = ""; !names {
				c.ID = ""
			}
		}
		e.Retrieval = &r
	}
	e.ToolCalls = slices.Clone(e.ToolCalls)
	for i := range e.ToolCalls {
		c := &e.ToolCalls[i]
		if c.Arguments, c.Result = (Content{}), (Content{}); names {
			continue
		}
		switch c.Name, c.Type = "", CallFunction; {
		case c.Failed():
			c.Status = callError
		case c.Succeeded():
			c.Status = callSuccess
		default:
			c.Status = ""
		}
	}
}
