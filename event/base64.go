package event

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// shortestMedia is the length from which base64 is replaced. A shorter run takes hardly
// more room than what would stand for it.
const shortestMedia = 256

// mayHoldMedia reports whether a text has a run of base64 as long as media is. Such a
// run has a byte in each window of its length, so the bytes before the next break of a
// window need not be read: a few in each window of prose.
func mayHoldMedia[T jsonscan.Text](data T) bool {
	for end := shortestMedia; end <= len(data); {
		i := end - 1
		for i >= end-shortestMedia && (inMedia(data, i) > 0 || data[i] == '\\' && i+1 < len(data) && data[i+1] == '\\') { // the latter in JSON in a string
			i--
		}
		if i < end-shortestMedia {
			return true
		}
		end = i + 1 + shortestMedia
	}
	return false
}

// inMedia returns how many bytes a character of base64 takes at a place of JSON; 0 when
// there is none. Some encoders escape characters of base64, and MIME breaks its lines.
func inMedia[T jsonscan.Text](data T, i int) int {
	c := data[i]
	switch {
	case isBase64(c):
		return 1
	case c != '\\' || i+1 == len(data):
		return 0
	}
	switch data[i+1] {
	case '/', 'n', 'r':
		return len(`\n`)
	case 'u': // \u002b is a plus, \u003d an equals sign
		if i+len(`\u002b`) <= len(data) && data[i+2] == '0' && data[i+3] == '0' && (data[i+4] == '2' || data[i+4] == '3') {
			return len(`\u002b`)
		}
	}
	return 0
}

// Lengths of the lines into which MIME and PEM break base64, with room for others.
const (
	shortestLine = 60
	longestLine  = 100
)

// mediaEnd returns the end of the base64 that begins at a place of JSON. A line break is
// part of it after a line that is as long as the first one; behind a shorter line, and
// behind the padding, other text begins.
func mediaEnd(data []byte, at int) int {
	first, line := 0, 0 // lengths of lines
	for at < len(data) {
		if c := data[at]; c != '=' && isBase64(c) {
			line++
			at++
			continue
		}
		n := inMedia(data, at)
		isBreak := n == len(`\n`) && data[at+1] != '/'
		switch {
		case n == 0:
			return at
		case isBreak && line > 0:
			if first == 0 {
				first = line
			}
			if line != first || first < shortestLine || first > longestLine {
				return at
			}
			line = 0
		case !isBreak && data[at] == '=':
			for at < len(data) && data[at] == '=' {
				at++
			}
			return at
		case !isBreak:
			line++
		}
		at += n
	}
	return at
}

// mediaDigest returns the size of what base64 holds, and its digest in hexadecimal; none
// when the base64 is broken.
func mediaDigest(text string) (size int, sum string) {
	if strings.Contains(text, `\`) {
		text = strings.NewReplacer(`\/`, "/", `\n`, "", `\r`, "", `\u002b`, "+", `\u002B`, "+", `\u002f`, "/", `\u002F`, "/", `\u003d`, "=", `\u003D`, "=").Replace(text)
	}
	text = strings.TrimRight(text, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	data, err := encoding.DecodeString(text)
	if err != nil {
		return decodedSize(len(text)), ""
	}
	digest := sha256.Sum256(data)
	return len(data), hex.EncodeToString(digest[:])
}

// decodedSize returns the number of bytes that base64 text of a length holds.
func decodedSize(length int) int { return length / 4 * 3 }

// isBase64 reports whether a byte is one of base64, in either alphabet, or its padding.
func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=' || c == '-' || c == '_'
}
