package event

import (
	"strconv"
	"strings"
)

// Rating is a user's rating: "up", "down", or a number in decimal. A number
// from 1 to 5 is read as stars.
type Rating string

// The ratings of a thumb.
const (
	RatingUp   Rating = "up"
	RatingDown Rating = "down"
)

// NormalRating returns a rating in the form that conditions compare, so that its
// spelling in header or body does not matter: lower case, no white space around it,
// numbers in decimal, and booleans as thumbs ("Down" is "down", "4.0" is "4", "True" is
// "up"). A rating that already has
// this form is returned without a copy.
func NormalRating[T ~string | ~[]byte](s T) T {
	if isPlainRating(s) {
		return s
	}
	text := strings.ToLower(strings.TrimSpace(string(s)))
	switch text {
	case "true":
		text = string(RatingUp)
	case "false":
		text = string(RatingDown)
	}
	if strings.Trim(text, "0123456789+-.e") == "" { // ParseFloat also reads "inf" and "0x1p4"
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			text = strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return T(text)
}

// isPlainRating reports whether NormalRating would change nothing. It runs for every
// message, so it only knows the usual forms.
func isPlainRating[T ~string | ~[]byte](s T) bool {
	if string(s) == "true" || string(s) == "false" {
		return false
	}
	if len(s) == 1 && '0' <= s[0] && s[0] <= '9' {
		return true
	}
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return true
}
