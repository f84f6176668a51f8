//go:build !race

package demo

const slow = false
