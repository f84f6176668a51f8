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

// record is one occurrence on its way to the store. Its texts are storable, and keys
// of an index are bounded.
type record struct {
	id                                           string // the case's
	formerID                                     string // the id of the case if an earlier build has written it
	requestID, evaluator, versionKey, featureKey string // in indexes
	kind, reason, label                          string
	feature, promptName, promptVersion           string
	seen                                         int64  // milliseconds since 1970
	body                                         string // the exemplar as JSON
}

// newRecord returns the record of a report's verdict.
func newRecord(r *eval.Report, v *eval.Verdict, redacted *event.Event, redactText func(string) string) (record, error) {
	x := newExemplar(r, v, redacted, redactText)
	body, err := json.Marshal(x)
	if err != nil {
		return record{}, fmt.Errorf("encode request %s: %w", r.Event.RequestID, err)
	}
	return record{
		id: signature(v, r.Event.PromptName, redacted), formerID: formerSignature(v, redacted),
		requestID: indexKey(string(r.Event.RequestID)), evaluator: indexKey(v.Eval),
		versionKey: indexKey(r.Event.PromptVersion), featureKey: indexKey(r.Event.Feature),
		kind: storable(string(v.Type)), reason: storable(v.Reason), label: storable(v.Label),
		feature: storable(r.Event.Feature), promptName: storable(r.Event.PromptName), promptVersion: storable(r.Event.PromptVersion),
		seen: x.OccurredAt.UnixMilli(), body: storable(string(body)),
	}, nil
}

// storable returns a text in the form that both databases accept: UTF-8 without
// NUL. One byte must not block an event forever.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// Bounds of a key in bytes. PostgreSQL rejects index entries above some 2,700.
const (
	maxKey    = 256
	keyPrefix = 200
)

// indexKey returns a text in the form that an index holds. A long or unstorable
// text is replaced by its beginning and its hash; the exemplar has all of it.
func indexKey(s string) string {
	key := storable(s)
	if key == s && len(s) <= maxKey {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(key[:min(len(key), keyPrefix)], "") + "~" + hex.EncodeToString(sum[:16])
}
