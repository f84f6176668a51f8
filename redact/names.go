package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/evalworker/evalworker/event"
)

// Names returns e, or a copy in which the names that describe the request, such as
// its feature, prompt and model, are redacted: they become tags of spans and metrics
// and stand in cases and logs. A request id that holds a secret or an e-mail address
// becomes a hash of itself, so that it still tells one request from another.
func (r *Redactor) Names(e *event.Event) *event.Event {
	if r.detector == nil {
		return e
	}
	out := *e
	changed := false
	name := func(s *string) {
		if clean := r.names.clean(r.detector, *s); clean != *s {
			*s, changed = clean, true
		}
	}
	for _, s := range [...]*string{
		&out.Service, &out.Environment, &out.Version, &out.Feature, &out.PromptName, &out.PromptVersion, &out.PromptVariant, &out.PromptEnvironment,
		&out.Provider, &out.Model, &out.Status, &out.ErrorType, &out.FinishReason, &out.TenantTier, &out.OutputSchema, &out.ContentWithheld,
	} {
		name(s)
	}
	rating := string(out.UserRating) // some applications take words for it
	name(&rating)
	out.UserRating = event.Rating(rating)
	if e.Retrieval != nil {
		retrieval := *e.Retrieval
		name(&retrieval.Index)
		name(&retrieval.Strategy)
		out.Retrieval = &retrieval
	}
	if id := string(e.RequestID); !isPlainID(id) && len(r.ids.Find(id)) > 0 {
		sum := sha256.Sum256([]byte(id))
		out.RequestID, changed = event.RequestID("redacted-"+hex.EncodeToString(sum[:16])), true
	}
	if !changed {
		return e
	}
	return &out
}

// isPlainID reports whether an id consists of small hexadecimal digits and dashes, as
// most do.
func isPlainID(id string) bool { return strings.Trim(id, "0123456789abcdef-") == "" }

// Bounds of the memory for names.
const (
	maxNames      = 4096
	maxNameLength = 200 // in bytes; a longer one is searched each time
)

// names remembers which names have been searched, because few of them occur again
// and again. It is safe for concurrent use.
type names struct {
	mu   sync.RWMutex
	seen map[string]string // guarded by mu; name -> redacted name
}

// clean returns a name without what is sensitive in it.
func (n *names) clean(d *Detector, name string) string {
	if name == "" {
		return ""
	}
	n.mu.RLock()
	clean, ok := n.seen[name]
	n.mu.RUnlock()
	if ok {
		return clean
	}
	clean = d.clean("", name)
	if len(name) > maxNameLength {
		return clean
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil || len(n.seen) >= maxNames {
		n.seen = map[string]string{}
	}
	n.seen[name] = clean
	return clean
}
