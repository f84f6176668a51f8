package judges

// PromptSize is the size of what a judge sends besides the content of an event.
type PromptSize struct {
	Bytes    int // of the system message and the schema
	Criteria int // that are answered
}

// PromptSize returns the size of the judge's prompt, from which the cost of a verdict
// can be estimated.
func (j *Judge) PromptSize() PromptSize {
	return PromptSize{Bytes: len(j.system) + len(j.schema), Criteria: len(j.rubric.Criteria)}
}
