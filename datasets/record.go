package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// record is one occurrence on its way to the store. Its texts are clean, and
// those that are keys of an index are bounded.
type record struct {
	id                                 string // of the case
	requestID, evaluator, version, in  string // keys; in is the feature
	kind, reason, label                string
	feature, promptName, promptVersion string
	seen                               int64  // milliseconds since 1970
	body                               string // exemplar as JSON
}

func (a *Archive) record(r *eval.Report, v *eval.Verdict, redacted *event.Event) (record, error) {
	x := exemplar(r, v, redacted, a.redactor.Text)
	body, err := json.Marshal(x)
	if err != nil {
		return record{}, fmt.Errorf("encode request %s: %w", r.Event.RequestID, err)
	}
	return record{
		id: signature(v, redacted), requestID: indexed(string(r.Event.RequestID)), evaluator: indexed(v.Eval), version: indexed(r.Event.PromptVersion), in: indexed(r.Event.Feature),
		kind: clean(string(v.Type)), reason: clean(v.Reason), label: clean(v.Label),
		feature: clean(r.Event.Feature), promptName: clean(r.Event.PromptName), promptVersion: clean(r.Event.PromptVersion),
		seen: x.OccurredAt.UnixMilli(), body: clean(string(body)),
	}, nil
}

// clean makes a text one that every database takes: UTF-8 without NUL. An event
// must not wait for ever because of a byte.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// Bounds of a key. PostgreSQL refuses an entry of an index above some 2,700 bytes.
const (
	maxKey    = 256 // bytes
	keyPrefix = 200
)

// indexed gives a text as an index holds it: one that is long or not clean is
// known by how it begins and by its hash. The exemplar has all of it.
func indexed(s string) string {
	key := clean(s)
	if key == s && len(s) <= maxKey {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(key[:min(len(key), keyPrefix)], "") + "~" + hex.EncodeToString(sum[:16])
}
