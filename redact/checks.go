package redact

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mixed reports whether a text looks drawn rather than written: it has letters
// and digits, and no character makes up more than a third of it.
func mixed(s string) bool {
	var letters, digits int
	var seen [256]int
	for i := range len(s) {
		c := s[i]
		seen[c]++
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
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

// credentials reports whether what follows on "Bearer" or "Basic" is hardly a
// word: it looks drawn, or is a user and a password in base64.
func credentials(s string) bool {
	bare := strings.TrimRight(s, "=")
	if len(bare) >= 16 && mixed(s) {
		return true
	}
	plain, err := base64.RawStdEncoding.DecodeString(bare)
	return err == nil && bytes.IndexByte(plain, ':') > 0 && utf8.Valid(plain) &&
		bytes.IndexFunc(plain, unicode.IsControl) < 0
}

// password reports whether a quoted or assigned value may be somebody's password,
// and is not what documentation puts in its place.
func password(s string) bool {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, stand := range []string{"your", "example", "password", "placeholder", "redacted", "string", "changeme", "<", "{", "..."} {
		if strings.Contains(lower, stand) {
			return false
		}
	}
	switch lower {
	case "", "null", "none", "true", "false", "undefined", "required", "optional", "hidden":
		return false
	}
	return strings.Trim(lower, lower[:1]) != "" // not "****"
}

// card reports whether digits are those of a payment card: the lengths and
// prefixes that issuers use (ISO/IEC 7812), and Luhn's check digit.
func card(s string) bool {
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
	return issuer && luhn(d)
}

func luhn(d string) bool {
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

// iban gives the length of the account number that a text begins with, 0 when
// there is none. Words and numbers behind it look like more of its groups, so it
// is the longest part, up to a space, whose check digits hold.
func iban(s string) int {
	for end := len(s); end > 0; end = strings.LastIndexByte(s[:end], ' ') {
		if account(s[:end]) {
			return end
		}
	}
	return 0
}

// account reports whether an account number's check digits hold (ISO 13616).
func account(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	rest := 0 // of the number that s is, with its first four characters behind and letters as 10 to 35
	for _, c := range s[4:] + s[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
			continue
		}
		rest = (rest*10 + int(c-'0')) % 97
	}
	return rest == 1
}

// ssn leaves out the numbers that are never given out.
func ssn(s string) bool {
	return s[:3] != "000" && s[:3] != "666" && s[0] != '9' && s[4:6] != "00" && s[7:] != "0000"
}

// phone leaves out what has too few or too many digits, and dates.
func phone(s string) bool {
	n := len(digitsOf(s))
	return n >= 7 && n <= 15
}

// pairs leaves out what counts, such as 01 02 03 04 05.
func pairs(s string) bool {
	d := digitsOf(s)
	step := func(i int) int { return 10*int(d[i+2]) + int(d[i+3]) - 10*int(d[i]) - int(d[i+1]) }
	return step(0) != step(2) || step(2) != step(4) || step(4) != step(6)
}

// address leaves out what no address can be, what names no machine in particular,
// and four small numbers, which are more often a version than a machine.
func address(s string) bool {
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
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' {
			b.WriteByte(c)
		}
	}
	return b.String()
}
