package sampler

import (
	"slices"

	"github.com/evalworker/evalworker/event"
)

// field is the place of a condition's field in fieldNames, in [event.Dims] and
// in the key of the table.
type field uint8

const (
	numFields   = 11
	fieldRating = 9 // event.HeaderUserRating, which is read in one form only
)

// fieldNames are the names under which conditions read event.Dims, in its order.
// They are also the names of the headers that carry them.
var fieldNames = [numFields]string{
	event.HeaderEnvironment, event.HeaderFeature, event.HeaderPromptName, event.HeaderPromptVer, event.HeaderProvider, event.HeaderModel,
	event.HeaderStatus, event.HeaderFinishReason, event.HeaderTenantTier, event.HeaderUserRating, event.HeaderOutputSchema,
}

// fieldSet has bit f set for each field f in it.
type fieldSet uint16

func (s fieldSet) has(f field) bool { return s>>f&1 == 1 }

func fieldNamed(name string) (field, bool) {
	i := slices.Index(fieldNames[:], name)
	return field(max(i, 0)), i >= 0 // below numFields
}

// dimsOf gives pointers to the fields of d in the order of fieldNames.
func dimsOf(d *event.Dims) [numFields]*string {
	return [numFields]*string{
		&d.Environment, &d.Feature, &d.PromptName, &d.PromptVersion, &d.Provider, &d.Model,
		&d.Status, &d.FinishReason, &d.TenantTier, &d.UserRating, &d.OutputSchema,
	}
}

// maxKey bounds the key of a table entry, and so the memory of the table.
const maxKey = 256

// appendKey appends one field to a key. Lengths go before values, so that two
// different lists of values never give the same key. It reports false when the
// value or the key would be too long to be kept.
func appendKey[T string | []byte](key []byte, v T) ([]byte, bool) {
	if len(v) > 255 || len(key)+1+len(v) > maxKey {
		return key, false
	}
	key = append(key, byte(len(v)))
	return append(key, v...), true
}
