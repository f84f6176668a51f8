package scenario

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// chooser draws items with given weights.
type chooser[T any] struct {
	items []T
	upTo  []float64 // cumulative weights
}

func choose[T any](items []T, weight func(T) float64) chooser[T] {
	c := chooser[T]{items: items, upTo: make([]float64, len(items))}
	sum := 0.0
	for i, it := range items {
		sum += weight(it)
		c.upTo[i] = sum
	}
	return c
}

// chooseKey draws the keys of a table of weights. They are sorted, because the order
// of a map differs from run to run.
func chooseKey(weights map[string]float64) chooser[string] {
	return choose(slices.Sorted(maps.Keys(weights)), func(k string) float64 { return weights[k] })
}

func (c chooser[T]) draw(r *rand.Rand) T {
	u := r.Float64() * c.upTo[len(c.upTo)-1]
	for i, limit := range c.upTo {
		if u < limit {
			return c.items[i]
		}
	}
	return c.items[len(c.items)-1]
}

// oneOf draws one of a list with equal chances.
func oneOf[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// chance returns true with probability p.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// traceContext draws the propagation headers of a sampled span.
func traceContext(r *rand.Rand) event.TraceContext {
	trace := event.TraceID{Hi: r.Uint64(), Lo: r.Uint64() | 1} // never zero
	return event.TraceContext{
		event.HeaderTraceparent: "00-" + trace.String() + "-" + hex(r.Uint64()|1) + "-01",
		event.HeaderTracestate:  "dd=s:1",
	}
}

func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

// personalData draws a detail that a customer reveals without being asked: a
// fictitious address, or a number in the form of a card number.
func personalData(r *rand.Rand, name string) string {
	if chance(r, 0.6) {
		return fmt.Sprintf("You can write to me at %s.%d%cexample.com.", strings.ToLower(name), 10+r.IntN(90), '@')
	}
	return "I paid with the card " + cardNumber(r) + "."
}

// cardNumber draws sixteen digits, in groups of four, that pass the Luhn check
// (ISO/IEC 7812-1, annex B).
func cardNumber(r *rand.Rand) string {
	d := [16]int{4}
	for i := 1; i < 15; i++ {
		d[i] = r.IntN(10)
	}
	sum := 0
	for i, n := range d[:15] {
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	d[15] = (10 - sum%10) % 10
	var b strings.Builder
	for i, n := range d {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(byte('0' + n))
	}
	return b.String()
}
