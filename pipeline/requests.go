package pipeline

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/evalworker/evalworker/event"
)

// Bounds of what is remembered of requests: a few hundred bytes each, and the content of
// as many of the latest as fit.
const (
	maxRequests     = 1 << 16
	maxContentBytes = 16 << 20
	// maxContent bounds the content of one request, so that a single one does not take
	// the place of all others.
	maxContent = maxContentBytes / 64
	// maxNames bounds the ids and names of one request, in bytes. Longer ones are odd, and
	// the request is not remembered.
	maxNames = 1 << 10
	// maxDeployments bounds the different sets of names that requests share.
	maxDeployments = 1 << 10
)

// requests remembers the latest requests, because feedback often comes later and names
// its request alone. It begins with the first such feedback: a worker whose events have
// none keeps nothing. It is safe for concurrent use.
type requests struct {
	begun  atomic.Bool
	mu     sync.Mutex              // guards the rest
	latest map[event.RequestID]int // numbers of the requests that are remembered
	// ring holds request n at n modulo its greatest length.
	ring []request
	next int // number of the next request
	// whole is the number of the oldest request that still has its content, and content
	// the bytes of all that have it.
	whole, content int
	deployments    map[deployment]*deployment
}

// request is what is remembered of one request.
type request struct {
	id            event.RequestID
	deployment    *deployment // shared by all requests with these names
	session       string
	tenant        string
	trace         event.TraceID
	span          event.SpanID
	input, output []byte
	mixed         bool // several requests with the id have different contents
}

func (r *request) size() int { return len(r.input) + len(r.output) }

// deployment is what the requests of one prompt, model and service have in common.
type deployment struct {
	tenantTier, service, environment, version, feature                                   string
	promptName, promptVersion, promptVariant, promptEnvironment, provider, model, schema string
}

func (d *deployment) fields() [12]*string {
	return [...]*string{
		&d.tenantTier, &d.service, &d.environment, &d.version, &d.feature,
		&d.promptName, &d.promptVersion, &d.promptVariant, &d.promptEnvironment, &d.provider, &d.model, &d.schema,
	}
}

// begin begins to remember requests.
func (q *requests) begin() { q.begun.Store(true) }

// add remembers a request that names its prompt or has content; another event with its id
// does not take its place. Of several requests with one id it remembers what they have in
// common, because feedback does not tell which of them it means. It copies the content,
// which is part of a larger message.
func (q *requests) add(e *event.Event) {
	if !q.begun.Load() || namesOf(e) > maxNames || e.PromptName == "" && e.Input.IsZero() && e.Output.IsZero() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	r := request{id: e.RequestID, deployment: q.shared(deploymentOf(e)), session: e.SessionID, tenant: e.TenantID}
	r.trace, r.span = e.Origin()
	if in, out := e.Input.Raw(), e.Output.Raw(); len(in)+len(out) <= maxContent {
		r.input, r.output = bytes.Clone(in), bytes.Clone(out)
	}
	if n, ok := q.latest[r.id]; ok {
		q.mix(&r, &q.ring[n%maxRequests], n >= q.whole)
	}
	q.put(r)
	for q.content > maxContentBytes {
		q.forgetContent()
	}
}

// mix leaves out of a request what an earlier one with its id has otherwise; whole says
// that the content of the earlier one was not forgotten.
func (q *requests) mix(r, earlier *request, whole bool) {
	if r.deployment != earlier.deployment {
		d := *r.deployment
		others := earlier.deployment.fields()
		for i, own := range d.fields() {
			if *own != *others[i] {
				*own = ""
			}
		}
		r.deployment = q.shared(d)
	}
	if r.session != earlier.session {
		r.session = ""
	}
	if r.tenant != earlier.tenant {
		r.tenant = ""
	}
	if r.trace != earlier.trace || r.span != earlier.span {
		r.trace, r.span = event.TraceID{}, 0
	}
	if !whole && !earlier.mixed {
		return
	}
	if !bytes.Equal(r.input, earlier.input) {
		r.input, r.mixed = nil, true
	}
	if !bytes.Equal(r.output, earlier.output) {
		r.output, r.mixed = nil, true
	}
	r.mixed = r.mixed || earlier.mixed
}

// put stores a request in place of the oldest one, if there are as many as there may be.
func (q *requests) put(r request) {
	if q.latest == nil {
		q.latest = map[event.RequestID]int{}
	}
	if len(q.ring) < maxRequests {
		q.ring = append(q.ring, r)
	} else {
		oldest := q.next - maxRequests
		if q.whole <= oldest {
			q.forgetContent()
		}
		old := &q.ring[oldest%maxRequests]
		if q.latest[old.id] == oldest {
			delete(q.latest, old.id)
		}
		*old = r
	}
	q.latest[r.id] = q.next
	q.content += r.size()
	q.next++
}

// forgetContent forgets the content of the oldest request that has it.
func (q *requests) forgetContent() {
	r := &q.ring[q.whole%maxRequests]
	q.content -= r.size()
	r.input, r.output = nil, nil
	q.whole++
}

// deploymentOf returns the names of an event.
func deploymentOf(e *event.Event) deployment {
	return deployment{
		tenantTier: e.TenantTier, service: e.Service, environment: e.Environment, version: e.Version, feature: e.Feature,
		promptName: e.PromptName, promptVersion: e.PromptVersion, promptVariant: e.PromptVariant, promptEnvironment: e.PromptEnvironment,
		provider: e.Provider, model: e.Model, schema: e.OutputSchema,
	}
}

// shared returns names in the place that requests share.
func (q *requests) shared(d deployment) *deployment {
	if known, ok := q.deployments[d]; ok {
		return known
	}
	if q.deployments == nil || len(q.deployments) == maxDeployments {
		q.deployments = map[deployment]*deployment{}
	}
	q.deployments[d] = &d
	return &d
}

// namesOf returns the bytes of an event's ids and names.
func namesOf(e *event.Event) (n int) {
	for _, s := range [...]string{
		string(e.RequestID), e.SessionID, e.TenantID, e.TenantTier, e.Service, e.Environment, e.Version, e.Feature,
		e.PromptName, e.PromptVersion, e.PromptVariant, e.PromptEnvironment, e.Provider, e.Model, e.OutputSchema,
	} {
		n += len(s)
	}
	return n
}

// complete returns feedback with what is known of its request; the feedback itself when
// it names its prompt and its question, or when its request is not remembered.
func (q *requests) complete(feedback *event.Event) *event.Event {
	if feedback.PromptName != "" && feedback.PromptVersion != "" && !feedback.Input.IsZero() {
		return feedback
	}
	q.begin()
	q.mu.Lock()
	defer q.mu.Unlock()
	n, ok := q.latest[feedback.RequestID]
	if !ok {
		return feedback
	}
	return feedback.About(q.ring[n%maxRequests].event())
}

// event returns what is remembered as an event.
func (r *request) event() *event.Event {
	d := r.deployment
	e := &event.Event{
		SessionID: r.session, TenantID: r.tenant, TenantTier: d.tenantTier,
		Service: d.service, Environment: d.environment, Version: d.version, Feature: d.feature,
		PromptName: d.promptName, PromptVersion: d.promptVersion, PromptVariant: d.promptVariant, PromptEnvironment: d.promptEnvironment,
		Provider: d.provider, Model: d.model, OutputSchema: d.schema,
		Input: event.JSON(r.input), Output: event.JSON(r.output),
	}
	if !r.trace.IsZero() {
		e.TraceID = event.ID(r.trace.String())
	}
	if r.span != 0 {
		e.SpanID = event.ID(r.span.String())
	}
	return e
}
