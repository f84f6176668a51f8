package main

import "fmt"

// plural counts things as a person would.
func plural(n int, what string) string { return fmt.Sprintf("%d %s", n, choose(n, what, what+"s")) }

// were is the verb of n things.
func were(n int) string { return choose(n, "was", "were") }

// choose gives the word for one thing, or the one for several or none.
func choose(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
