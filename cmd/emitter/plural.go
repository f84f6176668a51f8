package main

import "fmt"

// plural counts things as a person would.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// were is the verb of n things.
func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
