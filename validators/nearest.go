package validators

import "strings"

// meant words the name that was probably meant by a misspelt one, or, when none
// is near, the names that there are.
func meant(word string, names []string) string {
	if n := nearest(word, names); n != "" {
		return "did you mean " + n + "?"
	}
	if len(names) == 0 {
		return "there are none"
	}
	return "want one of " + strings.Join(names, ", ")
}

// nearest gives the name with the fewest letters dropped, added, changed or swapped, when
// they are few for a word of that length; empty when none is near.
func nearest(word string, names []string) string {
	const longest = 64 // nobody mistypes more, and the distance is quadratic
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	if word == "" || len(word) > longest {
		return ""
	}
	best, fewest := "", max(1, len(word)/3)+1
	for _, name := range names {
		if len(name) > longest {
			continue
		}
		n := edits(word, strings.ToLower(strings.ReplaceAll(name, "-", "_")))
		if len(word) >= 3 && strings.HasPrefix(strings.ToLower(name), word) {
			n = min(n, 1)
		}
		if n < fewest {
			best, fewest = name, n
		}
	}
	return best
}

// edits counts the bytes dropped, added, changed, or swapped with a neighbour, that
// make one word of the other (optimal string alignment).
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
