package sidecar

import (
	"github.com/evalworker/evalworker/event"
)

// source returns an event as it goes to the spool, nil when the publisher's configuration
// leaves it out; or why it is none. What must not leave this machine is taken out here,
// before the event is on its disk.
func (s *Sidecar) source(c *contents, line int, value []byte) ([]byte, error) {
	var warned event.Warnings
	arrived := "" // why the event came without its content
	prepared, err := s.deps.Publisher.Prepare(value, func(value []byte) (ev *event.Event, err error) {
		if s.cfg.Strict { // takes warnings for errors
			ev, err = event.DecodeStrict(value)
		} else {
			ev, warned, err = event.DecodeWithWarnings(value)
		}
		if err == nil {
			arrived = ev.ContentWithheld
		}
		return ev, err
	})
	if err != nil {
		return nil, err
	}
	if prepared.ContentWithheld != "" {
		c.withheld++
	}
	if prepared.ContentWithheld != "" && arrived == "" { // else its application knows
		c.warnings.addWithheld(line, prepared.ContentWithheld)
	}
	c.warnings.add(line, warned, !prepared.OnlyKnown, &s.mends)
	if prepared.Mended {
		c.warnings.note(line, event.Warning{Field: "text"}, "is not UTF-8: what could not be read is replaced by U+FFFD", "send UTF-8")
	}
	return prepared.Value, nil
}

// addWithheld takes the warning that an event is published without its content.
func (w *requestWarnings) addWithheld(line int, why string) {
	problem := "the event is published without its content"
	mend := ""
	switch why {
	case event.WithheldTooLarge:
		problem, mend = "too large: "+problem, "publish less, or raise --max-event-bytes with the topic's max.message.bytes"
	case event.WithheldNotRedacted:
		problem = "cannot be redacted: " + problem
	}
	w.note(line, event.Warning{Field: "content_withheld", Problem: problem}, problem, mend)
}
