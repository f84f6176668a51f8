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

// nearest gives the name with the fewest letters dropped, added or changed, when
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

// edits is the Levenshtein distance of two words, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
