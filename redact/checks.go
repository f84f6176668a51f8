package redact

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// looksRandom reports whether a text looks generated rather than written: it has
// letters and digits, and no character makes up more than a third of it.
func looksRandom(s string) bool {
	var letters, digits int
	var seen [256]int
	for i := range len(s) {
		c := s[i]
		seen[c]++
		switch {
		case isDigit(c):
			digits++
		case isLetter(c):
			letters++
		}
	}
	for _, n := range seen {
		if 3*n > len(s) {
			return false
		}
	}
	return letters >= 2 && digits >= 1
}

// isCredentials reports whether the text after "Bearer" or "Basic" is unlikely to
// be a word: it looks random, or is a user and a password in base64.
func isCredentials(s string) bool {
	bare := strings.TrimRight(s, "=")
	if len(bare) >= 16 && looksRandom(s) {
		return true
	}
	plain, err := base64.RawStdEncoding.DecodeString(bare)
	return err == nil && bytes.IndexByte(plain, ':') > 0 && utf8.Valid(plain) &&
		bytes.IndexFunc(plain, unicode.IsControl) < 0
}

// isPassword reports whether a quoted or assigned value may be a real password and
// not a placeholder in documentation.
func isPassword(s string) bool {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, placeholder := range []string{"your", "example", "password", "placeholder", "redacted", "string", "changeme", "<", "{", "..."} {
		if strings.Contains(lower, placeholder) {
			return false
		}
	}
	switch lower {
	case "", "null", "none", "true", "false", "undefined", "required", "optional", "hidden":
		return false
	}
	return strings.Trim(lower, lower[:1]) != "" // not "****"
}

// isCard reports whether digits are a payment card number: they have a length and
// prefix that issuers use (ISO/IEC 7812) and Luhn's check digit.
func isCard(s string) bool {
	d := digitsOf(s)
	issuer := false
	switch n := len(d); {
	case d[0] == '4':
		issuer = n == 13 || n == 16 || n == 19
	case d[:2] >= "51" && d[:2] <= "55", d[:4] >= "2221" && d[:4] <= "2720":
		issuer = n == 16
	case d[:2] == "34" || d[:2] == "37":
		issuer = n == 15
	case d[:2] == "36" || d[:2] == "38" || d[:3] >= "300" && d[:3] <= "305":
		issuer = n == 14
	case d[:4] == "6011" || d[:2] == "65" || d[:2] == "62" || d[:2] == "35" || d[:2] == "50" || d[:2] >= "56" && d[:2] <= "59":
		issuer = n >= 16 && n <= 19
	}
	return issuer && luhnHolds(d)
}

func luhnHolds(d string) bool {
	sum := 0
	for i := range len(d) {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// ibanLength returns the length of the account number at the start of a text, 0
// when there is none. Following words and numbers look like more of its groups, so
// it takes the longest part, up to a space, whose check digits are right.
func ibanLength(s string) int {
	for end := len(s); end > 0; end = strings.LastIndexByte(s[:end], ' ') {
		if ibanHolds(s[:end]) {
			return end
		}
	}
	return 0
}

// ibanHolds reports whether an account number's check digits are right (ISO 13616).
func ibanHolds(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	rest := 0 // of s as a number: the first four characters moved to the end, letters as 10 to 35
	for _, c := range s[4:] + s[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
			continue
		}
		rest = (rest*10 + int(c-'0')) % 97
	}
	return rest == 1
}

// isSSN reports false for numbers that are never issued.
func isSSN(s string) bool {
	return s[:3] != "000" && s[:3] != "666" && s[0] != '9' && s[4:6] != "00" && s[7:] != "0000"
}

// isPhone reports false for too few or too many digits, such as those of a date.
func isPhone(s string) bool {
	n := len(digitsOf(s))
	return n >= 7 && n <= 15
}

// isPairedPhone reports false for a sequence, such as 01 02 03 04 05.
func isPairedPhone(s string) bool {
	d := digitsOf(s)
	step := func(i int) int { return 10*int(d[i+2]) + int(d[i+3]) - 10*int(d[i]) - int(d[i+1]) }
	return step(0) != step(2) || step(2) != step(4) || step(4) != step(6)
}

// isAddress reports false for impossible addresses, for those that identify no
// particular machine, and for four small numbers, which are more often a version.
func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() || a.IsLoopback() {
		return false
	}
	if !a.Is4() {
		return strings.Count(s, ":") >= 3
	}
	b := a.As4()
	return b[0] >= 10 || b[1] >= 10 || b[2] >= 10 || b[3] >= 100
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
