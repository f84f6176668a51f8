package event

import (
	"encoding/json"
	"fmt"
)

// Response returns an event with what a provider's response says: the whole of it as
// output, the model, the finish reason, and the tokens. response is what a provider's
// library returned, or its JSON as a json.RawMessage or a []byte. The caller adds the
// request's id and all else that it knows. The error is that of writing response as JSON.
func Response(response any) (Event, error) {
	b, isJSON := response.([]byte)
	if !isJSON {
		var err error
		if b, err = json.Marshal(response); err != nil {
			return Event{}, fmt.Errorf("write a response as JSON: %w", err)
		}
	}
	e := Event{Kind: KindRequestCompleted, Output: JSON(b)}
	e.fill()
	return e, nil
}
