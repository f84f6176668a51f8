package event

import "cmp"

// About returns feedback with what it lacks of the request that it is about: its prompt,
// deployment, model, session, trace and content, but no measures, which are counted for
// the request itself. Feedback that names another prompt, version, tenant, session or
// environment than the request is returned as it is: two requests share an id. Neither
// event is changed.
func (e *Event) About(request *Event) *Event {
	if differ(e.PromptName, request.PromptName) || differ(e.PromptVersion, request.PromptVersion) ||
		differ(e.TenantID, request.TenantID) || differ(e.SessionID, request.SessionID) || differ(e.Environment, request.Environment) {
		return e
	}
	out := *e
	for _, field := range [...]struct{ own, of *string }{
		{&out.SessionID, &request.SessionID},
		{&out.TenantID, &request.TenantID},
		{&out.TenantTier, &request.TenantTier},
		{&out.Service, &request.Service},
		{&out.Environment, &request.Environment},
		{&out.Version, &request.Version},
		{&out.Feature, &request.Feature},
		{&out.PromptName, &request.PromptName},
		{&out.PromptVersion, &request.PromptVersion},
		{&out.PromptVariant, &request.PromptVariant},
		{&out.PromptEnvironment, &request.PromptEnvironment},
		{&out.Provider, &request.Provider},
		{&out.Model, &request.Model},
		{&out.OutputSchema, &request.OutputSchema},
	} {
		*field.own = cmp.Or(*field.own, *field.of)
	}
	if trace, _ := e.Origin(); trace.IsZero() {
		out.TraceContext, out.TraceID, out.SpanID = request.TraceContext, request.TraceID, request.SpanID
	}
	for _, field := range [...]struct{ own, of *Content }{
		{&out.Input, &request.Input},
		{&out.Output, &request.Output},
		{&out.Expected, &request.Expected},
		{&out.Tools, &request.Tools},
	} {
		if field.own.IsZero() {
			*field.own = *field.of
		}
	}
	if out.Retrieval == nil {
		out.Retrieval = request.Retrieval
	}
	if len(out.ToolCalls) == 0 {
		out.ToolCalls = request.ToolCalls
	}
	return &out
}

// differ reports whether both texts are known and not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }
