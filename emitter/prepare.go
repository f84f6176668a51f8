package emitter

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/evalworker/evalworker/event"
)

// message completes and prepares an event, and encodes it unless it is left out.
func (e *Emitter) message(ctx context.Context, ev *event.Event) (m message, kept bool, err error) {
	e.complete(ctx, ev)
	if !e.cfg.prepare(ev, e.contain) {
		return message{}, false, nil
	}
	m, err = e.encode(ev)
	return m, true, err
}

// countFiltered counts an event that Config.Prepare left out.
func (e *Emitter) countFiltered() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Filtered++
}

// prepare replaces media and calls Prepare, which contain protects from: after a panic
// nobody knows what the hook has done, so the content of the event as it was is withheld.
func (c *Config) prepare(ev *event.Event, contain func(name string, call func())) bool {
	if !c.KeepMedia {
		ev.ReplaceMedia()
	}
	if c.Prepare == nil {
		return true
	}
	own, keep, done := detached(ev), false, false
	contain("Prepare", func() {
		keep = c.Prepare(&own)
		done = true
	})
	if !done {
		ev.Withhold(event.WithheldNotRedacted)
		return true
	}
	*ev = own
	return keep
}

// detached returns a copy of an event whose lists, maps and numbers are its own.
func detached(ev *event.Event) event.Event {
	out := *ev
	out.TraceContext = maps.Clone(ev.TraceContext)
	out.LLMObs = copyOf(ev.LLMObs)
	for _, n := range [...]**int64{&out.RetryCount, &out.InputTokens, &out.OutputTokens, &out.TotalTokens} {
		*n = copyOf(*n)
	}
	for _, n := range [...]**float64{&out.EstimatedCostUSD, &out.LatencyMS, &out.FirstTokenLatencyMS, &out.UserRatingMin, &out.UserRatingMax} {
		*n = copyOf(*n)
	}
	for _, b := range [...]**bool{&out.CacheHit, &out.Streaming, &out.TaskCompleted} {
		*b = copyOf(*b)
	}
	if out.Retrieval = copyOf(ev.Retrieval); out.Retrieval != nil {
		r := out.Retrieval
		r.HitCount, r.TopScore, r.LatencyMS, r.Chunks = copyOf(r.HitCount), copyOf(r.TopScore), copyOf(r.LatencyMS), slices.Clone(r.Chunks)
		for i := range r.Chunks {
			r.Chunks[i].Score = copyOf(r.Chunks[i].Score)
		}
	}
	out.ToolCalls = slices.Clone(ev.ToolCalls)
	for i := range out.ToolCalls {
		call := &out.ToolCalls[i]
		call.LatencyMS, call.RetryCount = copyOf(call.LatencyMS), copyOf(call.RetryCount)
	}
	return out
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// fit returns the message of an event, as small as it has to be: of one that is too large
// the media is replaced even with KeepMedia, and if that is not enough, the content is
// withheld. It fails with [ErrTooLarge] when what is left is too large as well.
func (c *Config) fit(ev *event.Event, value []byte) (message, error) {
	m, err := newMessage(ev, value, c.MaxEventBytes)
	if !errors.Is(err, ErrTooLarge) {
		return m, err
	}
	if small := event.ReplaceMedia(value); len(small) < len(value) {
		if m, err := newMessage(ev, small, c.MaxEventBytes); err == nil {
			return m, nil
		}
	}
	rest := *ev
	rest.Withhold(cmp.Or(ev.ContentWithheld, event.WithheldTooLarge))
	m, tooLarge := newMessage(&rest, appendEvent(nil, &rest), c.MaxEventBytes)
	if tooLarge != nil {
		return message{}, err
	}
	m.anew = true
	return m, nil
}

// Prepared is an encoded event as a [Publisher] writes it.
type Prepared struct {
	Value []byte
	// ContentWithheld says why the value is without content; empty when it has it.
	ContentWithheld string
	// OnlyKnown says that the value is encoded anew, without fields that this version
	// does not know.
	OnlyKnown bool
	// Filtered says that Config.Prepare left the event out. There is no value then.
	Filtered bool
	// Mended says that the value had bytes that are not UTF-8, each of which is the
	// replacement character (U+FFFD) now.
	Mended bool
}

// Prepare does with an encoded event what [Emitter.Emit] does before it publishes one:
// media is replaced, Config.Prepare called, and content withheld from an event that is
// too large. decode is [event.Decode] or [event.DecodeStrict]. The value stays as it is,
// with fields that this version does not know, when nothing has to be changed; an event
// that went through Config.Prepare holds none of them. The error is that of decode, or
// that of Check.
func (p *Publisher) Prepare(value []byte, decode func([]byte) (*event.Event, error)) (Prepared, error) {
	mended := !utf8.Valid(value)
	value = validUTF8(value)
	ev, err := decode(value)
	if err != nil {
		return Prepared{}, err
	}
	value, ok := p.cfg.prepareEncoded(ev, value, contain)
	if !ok {
		return Prepared{Filtered: true}, nil
	}
	m, err := p.cfg.fit(ev, value)
	return Prepared{Value: m.value, ContentWithheld: m.withheld, OnlyKnown: p.cfg.Prepare != nil || m.anew, Mended: mended}, err
}

// contain turns a panic of a call into its end.
func contain(_ string, call func()) {
	defer func() { _ = recover() }() // its text may be content
	call()
}

// prepareEncoded is prepare for an event that is encoded: it returns the encoded form of
// what is left. Without Prepare, fields that this version does not know stay in it.
func (c *Config) prepareEncoded(ev *event.Event, value []byte, contain func(name string, call func())) ([]byte, bool) {
	switch {
	case c.Prepare != nil:
		if !c.prepare(ev, contain) {
			return nil, false
		}
		value = appendEvent(nil, ev)
	case !c.KeepMedia:
		value = event.ReplaceMedia(value)
	}
	return value, true
}
