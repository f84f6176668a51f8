package redact

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
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

// generated reports whether a token that an expression matched is not a placeholder.
func generated(text string, start, end int) bool {
	return !isPlaceholder(text[start:end]) && looksRandom(text[start:end])
}

// isKeyBlock reports false for the mention of a key's first line.
func isKeyBlock(text string, start, end int) bool {
	_, body, _ := strings.Cut(text[start:end], "BEGIN ")
	_, body, _ = strings.Cut(body, "KEY")
	body = strings.TrimPrefix(body, " BLOCK")
	body = strings.TrimLeft(body, "- ")
	if body == "" || body[0] == '\n' || body[0] == '\r' {
		return true
	}
	first, _, _ := strings.Cut(body, " ")
	return len(first) >= 16
}

// isCredentials reports whether the text after "Bearer" or "Basic" is unlikely to
// be a word: it looks random, or is a user and a password in base64.
func isCredentials(text string, start, end int) bool {
	s := text[start:end]
	bare := strings.TrimRight(s, "=")
	if len(bare) >= 16 && looksRandom(s) && !isPlaceholder(s) && !looksLikeWords(s) {
		return true
	}
	plain, err := base64.RawStdEncoding.DecodeString(bare)
	return err == nil && bytes.IndexByte(plain, ':') > 0 && utf8.Valid(plain) &&
		bytes.IndexFunc(plain, unicode.IsControl) < 0
}

// isURLPassword reports false for what documentation writes in place of a password.
func isURLPassword(text string, start, end int) bool {
	s := text[start:end]
	near := text[max(0, start-257) : start-1]
	user := near[strings.LastIndexByte(near, '/')+1:]
	switch strings.ToLower(s) {
	case strings.ToLower(user), "password", "passwd", "pass", "pwd", "pw", "secret", "pw123", "mypassword":
		return false
	}
	return !isPlaceholder(s) && !looksLikeMarker(s) && strings.IndexByte(s, '$') != 0 && !strings.ContainsAny(s, "[]%$(") && !strings.Contains(user, "$")
}

// isUserPassword reports whether what follows a user on a command line is a password
// and not the number of a group, a variable or the form of a date.
func isUserPassword(text string, start, end int) bool {
	s := text[start:end]
	return !isPlaceholder(s) && s[0] != '$' && s[0] != '%' && turns(s) >= 1 && strings.Trim(s, "0123456789") != ""
}

// machineAccounts are the local parts of addresses at which programs log in.
var machineAccounts = [...]string{"git", "root", "hg", "svn", "ubuntu", "ec2-user", "pi"}

// isEmail reports false for a login of a program, for the files and the code that
// look like an address, and for the user and the password of a URL.
func isEmail(text string, start, end int) bool {
	s := text[start:end]
	local, domain, found := strings.Cut(s, "@")
	if !found {
		return true // written with [at]
	}
	near := text[max(0, start-256):start]
	if i := strings.LastIndexAny(near, " \t\n\"'<>(/"); i > 0 && near[i] == '/' && strings.IndexByte(near[i:], ':') > 0 && near[i-1] == '/' {
		return false // a password in a URL, which begins behind //user:
	}
	for _, account := range machineAccounts {
		if strings.EqualFold(local, account) {
			return false
		}
	}
	labels := strings.Split(domain, ".")
	if first := labels[0]; len(first) == 2 && isDigit(first[0]) && first[1] == 'x' { // icon@2x.png
		return false
	}
	last := strings.ToLower(labels[len(labels)-1])
	switch last {
	case "example", "test", "invalid", "onion": // kept for examples
		return true
	case "local", "lan", "internal", "corp", "home", "intranet":
		return true
	}
	if strings.IndexFunc(last, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 || strings.HasPrefix(last, "xn--") {
		return true
	}
	_, listed := publicsuffix.PublicSuffix(last)
	return listed
}

// isCard reports whether digits are a payment card number: they have a length and
// prefix that issuers use (ISO/IEC 7812) and Luhn's check digit, and are not decimals
// of a number. Four equal groups are a test number; the number of an order is none.
func isCard(text string, start, end int) bool {
	if start > 0 && (text[start-1] == '.' || text[start-1] == ',') && (start == 1 || isDigit(text[start-2]) || text[start-2] == '-') ||
		end+1 < len(text) && text[end] == '.' && isDigit(text[end+1]) {
		return false
	}
	if start > 0 && text[start-1] == '-' && (start == 1 || !isWordByte(text[start-2])) { // a negative number
		return false
	}
	d := digitsOf(text[start:end])
	issuer := false
	switch n := len(d); {
	case d[0] == '4':
		issuer = n == 16 || n == 19
	case d[:2] >= "51" && d[:2] <= "55", d[:4] >= "2221" && d[:4] <= "2720":
		issuer = n == 16
	case d[:2] == "34" || d[:2] == "37":
		issuer = n == 15
	case d[:2] == "36" || d[:2] == "38" || d[:3] >= "300" && d[:3] <= "305":
		issuer = n == 14
	case d[:4] == "6011" || d[:2] == "65" || d[:2] == "62" || d[:2] == "35" || d[:2] == "50" || d[:2] >= "56" && d[:2] <= "59":
		issuer = n >= 16 && n <= 19
	}
	return issuer && luhnHolds(d) && (len(d) != 16 || strings.Repeat(d[:4], 4) != d) && labelBefore(text, start) != labelOther
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

// ssnForms are the forms of a social security number of the United States. Without
// its dashes the number needs its name before it.
func ssnForms() []shape {
	ssn := Kind{"us_ssn", ClassPII, "US social security number"}
	return []shape{{ssn, "ddd-dd-dddd", isSSN}, {ssn, "ddd dd dddd", isSSN}, {ssn, "ddddddddd", isSSN}}
}

// isSSN reports false for numbers that are never issued, and for other numbers of
// that form.
func isSSN(text string, start, end int) bool {
	s := text[start:end]
	d := digitsOf(s)
	if d[:3] == "000" || d[:3] == "666" || d[0] == '9' || d[3:5] == "00" || d[5:] == "0000" {
		return false
	}
	what := labelBefore(text, start)
	return what == labelSSN || what == labelNone && s[3] == '-'
}

// isAddress returns the end of the address in text[start:end]; start for impossible
// addresses, for those that identify no particular machine, such as masks, networks and
// the gateways of private networks, and for versions: four small numbers, or four behind
// the name of a product.
func isAddress(text string, start, end int) int {
	for end > start && (text[end-1] == '.' || text[end-1] == ':' && !strings.HasSuffix(text[start:end], "::")) {
		end--
	}
	if start > 0 && (isWordByte(text[start-1]) || strings.IndexByte(".:-", text[start-1]) >= 0) || end < len(text) && isWordByte(text[end]) {
		return start
	}
	s := text[start:end]
	if host, port, ok := strings.Cut(s, ":"); ok && strings.Count(host, ".") == 3 && strings.Trim(port, "0123456789") == "" {
		s, end = host, start+len(host)
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		return start
	}
	if a.Is6() && !a.Is4In6() {
		if strings.Count(s, ":") < 3 {
			return start
		}
		return end
	}
	if a.Is4In6() {
		return end
	}
	if labelBefore(text, start) == labelVersion || start > 1 && text[start-1] == '/' && isWordByte(text[start-2]) || end < len(text) && text[end] == '.' && end+1 < len(text) && isDigit(text[end+1]) {
		return start
	}
	b := a.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	switch {
	case b[0] >= 240, b[0] == 0, ^mask&(^mask+1) == 0: // a mask, or reserved
		return start
	case a.IsPrivate() && (b[3] <= 1 || b[3] >= 254), b[3] == 0: // a gateway, or a network
		return start
	}
	if b[0] < 10 && b[1] < 10 && b[2] < 10 && b[3] < 100 {
		return start
	}
	return end
}

func isWordByte(c byte) bool { return isDigit(c) || isLetter(c) || c == '_' }

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
