//go:build race

package demo

// slow is set under the race detector, where everything takes ten times as long.
const slow = true
