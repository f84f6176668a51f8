//go:build race

package demo

// slow: under the race detector, which knows nothing of statistics, everything
// takes ten times as long.
const slow = true
