package event

// Answer is what the model said in the output of an event.
type Answer struct {
	// Text is the answer in words: the published string, or the text of the
	// provider's message or response, without reasoning. Pictures and other files
	// are placeholders such as "[image, 50 KB]". For an output that is a JSON value
	// it is that value as it was published, with \u00e9 written as é.
	Text string
	// JSON says that Text is a JSON value that was not published as a string.
	JSON bool
	// Refusal says that the provider marked the answer as a refusal, or withheld
	// it because of its content. Text may then be empty.
	Refusal bool
	// CallsTools says that the model called tools, according to the message or the
	// event's list of calls.
	CallsTools bool
	// Calls are the calls of tools that the message holds.
	Calls []ToolCall
	// UnreadCalls is the number of calls in the message that have no known form.
	UnreadCalls int
	// Tools are the tools that the model was offered, as a whole response of OpenAI
	// says; absent when it names none.
	Tools Content
	// Reasoning is what the model thought before it answered. It is never part of
	// the answer.
	Reasoning string
	// FinishReason is why the model stopped, in the provider's words: as the event
	// says, or else the output. [Event.Finish] returns the normal form.
	FinishReason string
	// Unread says why the output can not be read although it is a provider's, such
	// as a response with items of unknown types only. Nothing can be said about the
	// answer then: an evaluator answers that it can not judge, with this reason.
	Unread string
}

// OnlyCallsTools reports whether the model called tools and has said nothing yet: a
// step on the way to an answer, not an empty answer.
func (s Answer) OnlyCallsTools() bool { return s.CallsTools && isBlank(s.Text) && s.Unread == "" }

// OnlyRefuses reports whether the provider marked the answer as a refusal and there
// are no words of it.
func (s Answer) OnlyRefuses() bool { return s.Refusal && isBlank(s.Text) && s.Unread == "" }

// Answer reads the output as the model's turn, in any of the forms of providers. An
// object or list that is none of theirs is the answer itself, as a JSON value.
func (e *Event) Answer() Answer {
	s := e.Output.Answer()
	s.CallsTools = s.CallsTools || len(e.ToolCalls) > 0
	if NormalFinish(e.FinishReason) != "" {
		s.FinishReason = e.FinishReason
		if NormalFinish(e.FinishReason).Refuses() { // and nothing else has to be read
			s.Refusal, s.Unread = true, ""
		}
	}
	return s
}
