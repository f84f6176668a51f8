package redact

import "github.com/evalworker/evalworker/event"

// Prepare redacts an event in place before it is published: its content, as
// [Redactor.Event] does, and its names, as [Redactor.Names] does. It is made for
// Config.Prepare of the package emitter and always returns true.
//
// Where content cannot be redacted it fails closed: the event goes without content, and
// [event.Event.ContentWithheld] says not_redacted. Ids of sessions, tenants and users, and
// propagation headers, are not searched: they are the application's own.
func (r *Redactor) Prepare(e *event.Event) bool {
	clean, err := r.Event(e)
	if err != nil {
		e.Withhold(event.WithheldNotRedacted)
		clean = e
	}
	*e = *r.Names(clean)
	return true
}
