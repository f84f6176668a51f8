package event

import (
	"strconv"
	"strings"
)

// Rating is a user's rating: "up", "down", a number in decimal, or a number with the
// greatest one that is possible ("4/5"). Decode reads other spellings as one of these; a
// text that is none is kept and has no meaning.
type Rating string

// The ratings of a thumb.
const (
	RatingUp   Rating = "up"
	RatingDown Rating = "down"
)

// minusOne is the number -1. It keeps its fraction, because the text "-1" is a thumb,
// while the number may also stand for no rating where nobody knows its scale.
const minusOne Rating = "-1.0"

// Number returns a numeric rating, and the greatest one that is possible where the
// rating names it, else 0: 4 and 5 for "4/5". It reports false for any other rating.
func (r Rating) Number() (n, most float64, ok bool) {
	first, second, fraction := strings.Cut(string(r), "/")
	if n, ok = decimal(first); !ok || !fraction {
		return n, 0, ok
	}
	most, ok = decimal(second)
	return n, most, ok && most > 0
}

// NormalRating returns a rating in the form that conditions compare, so that its
// spelling in header or body does not matter. Words with one meaning are "up" or "down",
// whatever their case, white space, hyphens and underscores: thumbs_up, like, positive,
// good, helpful, true, +1, 👍 and their opposites. Numbers are in decimal ("4.0" is "4"),
// and "4 / 5" and "★★★★☆" are "4/5". A rating that already has this form is returned
// without a copy, and a text that is none of these in lower case.
//
// The number -1 is "down" here as well, because a header does not say whether a text or a
// number was meant. An event that was decoded keeps it as "-1.0".
func NormalRating[T ~string | ~[]byte](s T) T {
	if isPlainRating(s) {
		return s
	}
	text := strings.ToLower(strings.TrimSpace(string(s)))
	if word := ratingOfWord(text); word != "" {
		return T(word)
	}
	if f, ok := decimal(text); ok {
		if f == -1 {
			return T(RatingDown)
		}
		return T(formatDecimal(f))
	}
	if first, second, ok := strings.Cut(text, "/"); ok {
		n, isNumber := decimal(strings.TrimSpace(first))
		most, isMost := decimal(strings.TrimSpace(second))
		if isNumber && isMost && most > 0 {
			return T(formatDecimal(n) + "/" + formatDecimal(most))
		}
	}
	if stars := ratingOfStars(text); stars != "" {
		return T(stars)
	}
	return T(text)
}

// isPlainRating reports whether NormalRating would change nothing. It runs for every
// message, so it only knows the usual forms.
func isPlainRating[T ~string | ~[]byte](s T) bool {
	switch string(s) {
	case "", string(RatingUp), string(RatingDown):
		return true
	}
	return len(s) == 1 && '0' <= s[0] && s[0] <= '9'
}

// ratingOfWord returns the thumb that a word in lower case stands for; "" when it is not
// known.
func ratingOfWord(text string) Rating {
	switch strings.Trim(text, ":") { // ":+1:", as chats write it
	case "+1":
		return RatingUp
	case "-1":
		return RatingDown
	}
	switch strings.Map(letterOfRating, text) {
	case "up", "thumbsup", "thumbup", "👍", "like", "liked", "positive", "good", "helpful", "upvote", "upvoted", "true":
		return RatingUp
	case "down", "thumbsdown", "thumbdown", "👎", "dislike", "disliked", "negative", "bad", "unhelpful", "nothelpful", "downvote", "downvoted", "false":
		return RatingDown
	}
	return ""
}

// letterOfRating drops what separates words, and the variants of an emoji: how it is
// drawn, and the colour of the skin.
func letterOfRating(c rune) rune {
	switch {
	case c == '_', c == '-', c == ' ', c == ':', c == '\ufe0f', '\U0001f3fb' <= c && c <= '\U0001f3ff':
		return -1
	}
	return c
}

// maxStars bounds a row of stars that is read as a rating.
const maxStars = 10

// ratingOfStars returns the rating that a row of stars shows; "" for another text. A row
// with empty stars shows how many there may be, and so does one of five. Any other row of
// full stars is their number: it may be three of five as well as all of three.
func ratingOfStars(text string) string {
	full, empty := 0, 0
	for _, c := range text {
		switch {
		case (c == '★' || c == '⭐') && empty == 0:
			full++
		case c == '☆':
			empty++
		case c != '\ufe0f':
			return ""
		}
	}
	switch all := full + empty; {
	case all == 0 || all > maxStars:
		return ""
	case empty > 0 || full == 5:
		return strconv.Itoa(full) + "/" + strconv.Itoa(all)
	default:
		return strconv.Itoa(full)
	}
}

// decimal reads a finite number, in the digits of JSON or with a sign in front.
func decimal(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789+-.e") != "" { // ParseFloat also reads "inf" and "0x1p4"
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

func formatDecimal(f float64) string {
	if f == 0 {
		return "0" // -0 is no other rating
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
