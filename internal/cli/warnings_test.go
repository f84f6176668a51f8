package cli_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/cli"
)

// TestWarningCounts: of many events, the most frequent first, in a bounded memory; a name
// does nothing to a terminal.
func TestWarningCounts(t *testing.T) {
	t.Parallel()
	var counts cli.WarningCounts
	add := func(member string, times int) {
		_, warned, err := event.DecodeWithWarnings([]byte(`{"event":"llm_request_completed","request_id":"r",` + member + `}`))
		if err != nil {
			t.Fatal(err)
		}
		for range times {
			counts.Add(warned)
		}
	}
	add(`"model":"m"`, 5)
	if list, more := counts.List(); list == nil || len(list) > 0 || more != 0 {
		t.Errorf("%#v, %d", list, more)
	}
	add(`"output_tokens":true`, 1)
	add(`"prompt_versoin":1`, 312)
	add(`"own\u001b[2J\nb":1`, 2)
	var out bytes.Buffer
	counts.Print(&out)
	want := "prompt_versoin: ignored in 312 events, did you mean prompt_version?\nown[2J b: ignored in 2 events\noutput_tokens: ignored in 1 event (a JSON bool), want an integer\n"
	if out.String() != want {
		t.Errorf("%s\nwant %s", &out, want)
	}
	for i := range 1200 {
		add(fmt.Sprintf(`"own_%d":1`, i), 1)
	}
	if list, more := counts.List(); len(list) != 20 || more != 1203-20 {
		t.Errorf("%d listed, %d more", len(list), more)
	}
}
