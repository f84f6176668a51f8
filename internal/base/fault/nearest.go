package fault

import (
	"fmt"
	"strings"
)

// Nearest returns the name in among that a person most likely meant by word; empty
// when none is near. A name is near if it differs only in case or in - instead of
// _, if word is its beginning, or if few letters were dropped, added, changed or
// swapped (one in three of the word). Of equally near names it returns the first in
// alphabetical order.
func Nearest(word string, among []string) string {
	const longest = 64 // the distance is quadratic
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	w := []rune(fold(word))
	if len(w) == 0 || len(w) > longest {
		return ""
	}
	best, least := "", max(1, len(w)/3)+1
	for _, name := range among {
		n := []rune(fold(name))
		if len(n) > longest {
			continue
		}
		d := distance(w, n)
		if len(w) >= 3 && strings.HasPrefix(string(n), string(w)) {
			d = min(d, 1)
		}
		if d >= len(w) && d > 0 {
			continue // no letter of the word is left
		}
		if d < least || d == least && best != "" && name < best {
			best, least = name, d
		}
	}
	return best
}

// Suggest returns what to write in place of a word that is none of several names: the one
// that was probably meant, or else all of them; none when there are no names.
func Suggest(word string, among []string, none string) string {
	switch near := Nearest(word, among); {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(among) == 0:
		return none
	}
	return "want one of " + strings.Join(among, ", ")
}

// distance counts letters dropped, added, changed, or swapped with a neighbour
// (optimal string alignment).
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
