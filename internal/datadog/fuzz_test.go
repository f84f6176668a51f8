package datadog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/evalworker/evalworker/internal/datadog"
)

// FuzzRender: whatever a file holds, it renders or is an error; what is rendered is valid,
// renders again, and does not differ from itself as Datadog would answer with it.
func FuzzRender(f *testing.F) {
	for _, text := range []string{provider, quality, `{"query":"a > 1e3","options":{"thresholds":{"critical":1000}}}`, `{"tags":"x","name":1}`, `{"options":{"thresholds":null}}`, "[]"} {
		f.Add(text, 5.0, "tone")
	}
	f.Fuzz(func(t *testing.T, text string, threshold float64, evaluator string) {
		v := values()
		v.Thresholds, v.Evaluators = map[string]float64{"one": threshold}, []string{evaluator, "correctness"}
		if len(v.Validate()) > 1 { // one has another name in the program
			return
		}
		objects, _, err := datadog.RenderFrom(fstest.MapFS{"monitors/one.json": {Data: []byte(text)}}, v)
		if err != nil {
			return
		}
		for _, o := range objects {
			out := o.JSON()
			if !json.Valid(out) {
				t.Fatalf("not valid: %s", out)
			}
			if strings.Contains(string(out), "${env}") {
				t.Errorf("a placeholder is left: %s", out)
			}
			if fields := datadog.Differences(o.Body, body(t, o)); len(fields) > 0 {
				t.Errorf("%s differs from itself: %+v", out, fields)
			}
		}
	})
}
