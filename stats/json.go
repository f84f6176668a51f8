package stats

import "encoding/json"

// MarshalJSON writes null for every number that is not known because the comparison was
// not made: a p-value of 0 would be the strongest one of all.
func (c Comparison) MarshalJSON() ([]byte, error) {
	type fields Comparison // without this method
	if c.NotCompared == "" {
		return json.Marshal(fields(c))
	}
	var rate *float64
	if c.Decided > 0 && c.NotCompared != MostUnseen {
		rate = &c.Rate
	}
	return json.Marshal(struct {
		fields
		Rate         *float64 `json:"rate"`
		Baseline     *float64 `json:"baseline"`
		Difference   *float64 `json:"difference"`
		Low          *float64 `json:"low"`
		High         *float64 `json:"high"`
		PValue       *float64 `json:"p_value"`
		SmallestDrop *float64 `json:"smallest_drop"`
	}{fields: fields(c), Rate: rate})
}
