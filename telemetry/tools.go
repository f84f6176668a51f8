package telemetry

import (
	"hash/maphash"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// Bounds of what is remembered about tools. When one is reached, what is remembered
// is forgotten or no more is added, which only costs time or turns a name into other.
const (
	maxOffers   = 64
	maxToolsRun = 1000
	maxToolName = 64 // bytes of a name that no event has offered
)

// toolNames decides under which name a call of a tool is counted. The model writes
// the name, so it is content unless the application knows it: because the event
// offered the tool, or because a call of it succeeded. Only the queue's goroutine
// uses it.
type toolNames struct {
	seed   maphash.Seed
	offers map[uint64]offer    // by the hash of an event's tools
	run    map[string]struct{} // tools of which a call succeeded
	redact func(name string) string
}

// offer is what one list of tools says.
type offer struct {
	names map[string]struct{}
	whole bool // there were no others
}

func newToolNames(redact func(name string) string) *toolNames {
	if redact == nil {
		redact = func(name string) string { return name }
	}
	return &toolNames{seed: maphash.MakeSeed(), offers: map[uint64]offer{}, run: map[string]struct{}{}, redact: redact}
}

// offered returns what the event says about its tools.
func (t *toolNames) offered(e *event.Event) offer {
	if e.Tools.IsZero() {
		return offer{}
	}
	key := maphash.Bytes(t.seed, e.Tools.Raw())
	if o, ok := t.offers[key]; ok {
		return o
	}
	offers := e.Offers()
	o := offer{names: make(map[string]struct{}, len(offers.List)), whole: !offers.Open && !offers.Unread}
	for _, tool := range offers.List {
		o.names[tool.Name] = struct{}{}
	}
	if len(t.offers) == maxOffers {
		clear(t.offers)
	}
	t.offers[key] = o
	return o
}

// name returns the name under which a call is counted.
func (t *toolNames) name(c *event.ToolCall, o offer) string {
	for _, name := range [...]string{c.Name, event.BareToolName(c.Name)} {
		if _, ok := o.names[name]; ok {
			return t.redact(name)
		}
	}
	if o.whole && c.Type != event.CallServer || !isToolName(c.Name) {
		return overflowValue
	}
	if _, ok := t.run[c.Name]; ok {
		return t.redact(c.Name)
	}
	if !c.Succeeded() || len(t.run) == maxToolsRun {
		return overflowValue
	}
	t.run[c.Name] = struct{}{}
	return t.redact(c.Name)
}

// isToolName reports whether a name has the form that providers ask of a tool's.
func isToolName(name string) bool {
	return name != "" && len(name) <= maxToolName && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-.:/", c)
	})
}
