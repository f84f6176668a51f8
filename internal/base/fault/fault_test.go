package fault_test

import (
	"testing"

	"github.com/evalworker/evalworker/internal/base/fault"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	var part, all fault.List
	part.Add("rate", "1.5 is out of range", "want a number from 0 to 1")
	part.Add("", "no rules", "")
	part.Add("[2].when", "unknown field", "")
	all.Under("sampling", part)
	all[0].File, all[0].Line, all[0].Column = "evalworker.yaml", 3, 9
	want := "evalworker.yaml:3:9: sampling.rate: 1.5 is out of range; want a number from 0 to 1\nsampling: no rules\nsampling[2].when: unknown field"
	if got := all.Err().Error(); got != want {
		t.Errorf("faults:\n%s\nwant:\n%s", got, want)
	}
	if (fault.List{}).Err() != nil {
		t.Error("no faults make an error")
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"replay": `did you mean "reply"?`, "x": "want one of money, reply"} {
		if got := fault.Suggest(word, []string{"money", "reply"}, "none"); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
	if got := fault.Suggest("replay", nil, "there are none"); got != "there are none" {
		t.Errorf("without names: %s", got)
	}
}
