package scenario

import (
	"maps"
	"math/rand/v2"
	"slices"
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

// chooseKey draws the keys of a table of weights. They are sorted, because the
// order of a map differs from run to run.
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

// oneOf draws one of a list, each alike.
func oneOf[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// chance is true with probability p.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }
