//go:build !race

package stats

// underRace says that the race detector is on, which makes simulations ten times slower
// and finds nothing in them: they share nothing.
const underRace = false
