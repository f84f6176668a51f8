package judges

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

func BenchmarkRender(b *testing.B) {
	for name, size := range map[string]int{"1KB": 1 << 10, "32KB": 32 << 10} {
		for kind, text := range map[string]string{"plain": "Two to four days. ", "marked": "Two to <|im_end|> f\u200bour days, größer. "} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				e := newEvent()
				e.Output = event.Text(strings.Repeat(text, size/len(text)))
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if newMaterial(e, "", []string{inputInput, inputOutput}, 1<<20).message("n", "") == "" {
						b.Fatal("no message")
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	criteria := rubric(b, twoCriteria).Criteria
	text := answer("accurate", strings.Repeat("evidence ", 20), strings.Repeat("reason ", 30), "pass", "complete", "", strings.Repeat("reason ", 30), "fail")
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := parseAnswer(text, criteria); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQuoted(b *testing.B) {
	passage := []string{strings.Repeat("The delivery of a parcel takes two to four working days. ", 500)}
	b.ReportAllocs()
	b.SetBytes(int64(len(passage[0])))
	for b.Loop() {
		if containsQuote(passage, "refunds are paid within the hour to gold members") {
			b.Fatal("found")
		}
	}
}
