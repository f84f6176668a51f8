package redact

import (
	"strconv"
	"strings"
)

// phoneForms are the national forms of telephone numbers that are told by their
// punctuation, in the notation of [shape]. In other forms, such as digits alone, a
// word before the number has to announce it.
func phoneForms() []shape {
	phone := Kind{"phone", ClassPII, "telephone number"}
	var out []shape
	add := func(holds func(string, int, int) bool, forms ...string) {
		for _, f := range forms {
			out = append(out, shape{phone, f, holds})
		}
	}
	// North America.
	add(isNorthPhone, "(Ndd) Ndd-dddd", "(Ndd)Ndd-dddd", "(Ndd) Ndd dddd", "(Ndd) Ndd.dddd", "(Ndd)-Ndd-dddd", "Ndd-Ndd-dddd", "Ndd.Ndd.dddd", "Ndd/Ndd-dddd", "Ndd Ndd-dddd",
		"1-Ndd-Ndd-dddd", "1.Ndd.Ndd.dddd", "1 Ndd-Ndd-dddd", "1 (Ndd) Ndd-dddd", "1 (Ndd) Ndd dddd", "1-(Ndd)-Ndd-dddd", "1(Ndd)Ndd-dddd", "1 Ndd Ndd dddd")
	add(isNationalPhone,
		"(Zd) 9dddd-dddd", "(Zd)9dddd-dddd", "(Zd) 9 dddd-dddd", "(Zd) Ndddddddd", "(Zd) Nddd-dddd", "(Zd)Nddd-dddd", "Zd 9dddd-dddd", // Brazil
		"8 (Ndd) ddd-dd-dd", "8 (Ndd) ddd dd dd", "8(Ndd)ddd-dd-dd", "8-Ndd-ddd-dd-dd", "8 Ndd ddd-dd-dd", "8(Ndd)ddddddd", // Russia
		"1Nd-dddd-dddd", "1Nd dddd dddd", // China
		"0Z dd dd dd dd", "0Z.dd.dd.dd.dd", "0Z-dd-dd-dd-dd", // France
		"0d-dddd-dddd", "0dd-dddd-dddd", "0dd-ddd-dddd", "0ddd-dd-dddd", // Japan, Korea
		"(0d) dddd dddd", "(0d) dddd-dddd", "(0dd) dddd dddd", "(0dd) ddddddd", "(0ddd) ddd dddd", "(0dddd) dddddd", "(0dddd) ddd ddd", // Australia, Great Britain, India
		"0dd ddd dd dd", "0ddd dd dd dd", "0dd-ddd dd dd", "0ddd ddd dd dd", "0dd/ddd dd dd", "0ddd/dd dd dd", // Switzerland, Belgium, Sweden, Turkey
		"0ddd ddd dddd", "0dd dddd dddd", "0d dddd dddd", // Great Britain, South Africa
		"Ndd dd dd dd", // Spain, after its name only
	)
	return out
}

// isNorthPhone reports whether a number in a form of North America is one.
func isNorthPhone(text string, start, end int) bool {
	s := text[start:end]
	if what := labelBefore(text, start); what != labelNone {
		return what == labelPhone
	}
	return isNorth(s)
}

// isNationalPhone reports whether a number in a national form is a telephone number.
func isNationalPhone(text string, start, end int) bool {
	s := text[start:end]
	if what := labelBefore(text, start); what != labelNone {
		return what == labelPhone
	}
	if strings.Trim(s, "0123456789 ") == "" && nextToGroup(text, start, end) || strings.Trim(s, "0123456789.") == "" && byteAt(text, end) == '.' && isDigit(byteAt(text, end+1)) {
		return false // a part of a longer list of numbers
	}
	if len(s) == 14 && s[0] == '0' && s[1] != '0' && isSequence(s) {
		return false
	}
	return !isDigit(s[0]) || s[0] <= '1' || s[0] == '8' || s[2] == ' '
}

// phoneEnd returns the end of the telephone number that begins at i with the code of
// a country or with the area of a German city, or that a word before it announces; 0
// if there is none.
func phoneEnd(text string, i int) int {
	code := i
	switch {
	case text[i] == '+' && isDigit(text[i+1]) && text[i+1] != '0':
		code = i + 1
	case text[i] == '+':
		return 0
	case strings.HasPrefix(text[i:], "00"):
		code = i + 2
	}
	announced := labelBefore(text, i)
	if code > i {
		end := numberEnd(text, code, 3, 15)
		if text[i] == '0' && announced != labelPhone && (strings.Trim(text[i:end], "0123456789") == "" || nextToGroup(text, i, i)) {
			return 0 // digits alone may be anything
		}
		if end = internationalEnd(text, i, code, end); end > i {
			return end
		}
		return 0
	}
	switch announced {
	case labelPhone:
		end := numberEnd(text, i, 2, 15)
		if n := len(digitsOf(text[i:end])); n >= 7 && !isWordByte(byteAt(text, end)) && !isDate(text[i:end]) {
			return end
		}
	case labelNone:
		if text[i] == '0' {
			return zeroEnd(text, i)
		}
	}
	return 0
}

// numberEnd returns the end of at most so many digits from i, with so many spaces and
// marks between two of them.
func numberEnd(text string, i, gap, most int) int {
	end, between, digits := i, 0, 0
	for ; i < len(text) && digits < most; i++ {
		switch {
		case isDigit(text[i]):
			digits++
			between, end = 0, i+1
		case text[i] == '+' && between == 0 && i > 0 && isDigit(text[i-1]) && isDigit(byteAt(text, i+1)): // a space of a form
			between++
		case strings.IndexByte(" .()/-", text[i]) < 0 || between == gap:
			return end
		default:
			between++
		}
	}
	return end
}

// zeroEnd returns the end of a number that begins with the area of a city, as in
// 030/901820-0: a zero with one to four digits, and six to nine more behind a mark.
func zeroEnd(text string, i int) int {
	area := digitsFrom(text, i)
	if area < 2 || area > 5 || strings.IndexByte(" /-", byteAt(text, i+area)) < 0 {
		return 0
	}
	at := i + area + 1
	first := digitsFrom(text, at)
	end := at + first
	total := first
	if first >= 3 && first <= 4 && (byteAt(text, end) == ' ' || byteAt(text, end) == '-') {
		if second := digitsFrom(text, end+1); second >= 3 && second <= 5 {
			total, end = total+second, end+1+second
		}
	}
	if total < 6 || total > 9 || first < 3 {
		return 0
	}
	if extension := digitsFrom(text, end+1); byteAt(text, end) == '-' && extension >= 1 && extension <= 3 {
		end += 1 + extension
	}
	if isWordByte(byteAt(text, end)) || byteAt(text, end) == '-' || byteAt(text, end) == '.' && isDigit(byteAt(text, end+1)) || nextToGroup(text, i, end) {
		return 0
	}
	return end
}

// digitsFrom returns the number of digits at i.
func digitsFrom(text string, i int) (n int) {
	for i+n < len(text) && isDigit(text[i+n]) {
		n++
	}
	return n
}

// isNorth reports whether a number may be one of North America: neither its area nor
// its exchange begins with 0 or 1, and the area is one that is given out.
func isNorth(s string) bool {
	d := digitsOf(s)
	if len(d) < 10 {
		return false
	}
	d = d[len(d)-10:]
	area, exchange := d[:3], d[3:6]
	return exchange >= "200" && area[1] != '9' && area[1:] != "11" && area != "200" && area != "300" && area != "400" && area[:2] != "37" && area[:2] != "96"
}

// isSequence reports whether pairs are counted, as in 01 02 03 04 05.
func isSequence(s string) bool {
	d := digitsOf(s)
	step := func(i int) int { return 10*int(d[i+2]) + int(d[i+3]) - 10*int(d[i]) - int(d[i+1]) }
	return step(0) == step(2) && step(2) == step(4) && step(4) == step(6)
}

// isDate reports whether the groups of a number are those of a date.
func isDate(s string) bool {
	g := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	return len(g) >= 3 && (len(g[0]) == 4 && (g[0][:2] == "19" || g[0][:2] == "20") && len(g[1]) == 2 && len(g[2]) >= 2 && len(g[2]) <= 4 ||
		len(g[0]) <= 2 && len(g[1]) <= 2 && len(g[2]) == 4 && (g[2][:2] == "19" || g[2][:2] == "20"))
}

// internationalEnd returns the end of the number whose country code begins at code:
// the last end of a group at which it has the length of that country's numbers.
// A number that follows it looks like one more group.
func internationalEnd(text string, start, code, end int) int {
	if end < len(text) && (isDigit(text[end]) || isLetter(text[end]) || text[end] == '_') || isDecimal(text[start:end]) {
		return start
	}
	for ; end > code; end-- {
		if !isDigit(text[end-1]) || end < len(text) && isDigit(text[end]) {
			continue
		}
		if isInternational(digitsOf(text[code:end]), digitsFrom(text, code)) {
			return end
		}
	}
	return start
}

// isDecimal reports whether a signed number is a decimal, such as a coordinate.
func isDecimal(s string) bool {
	i := strings.IndexByte(s, '.')
	return i >= 2 && i <= 4 && len(s)-i > 4 && strings.Trim(s[i+1:], "0123456789") == ""
}

// isInternational reports whether digits are the code of a country and as many more as
// its numbers have (ITU-T E.164 and the national plans). The code is a part of the
// first group.
func isInternational(d string, first int) bool {
	if strings.Trim(d, d[len(d)-1:]) == "" || strings.HasSuffix(d, "0000000") {
		return false
	}
	for n := 1; n <= min(3, first) && n < len(d); n++ {
		if r, ok := countryCodes[d[:n]]; ok {
			rest := d[n:]
			if len(rest) == r[1]+1 && rest[0] == '0' { // +49 (0) 30 ...
				rest = rest[1:]
			}
			return len(rest) >= r[0] && len(rest) <= r[1] && (d[:n] != "1" || isNorth(rest))
		}
	}
	return false
}

// countryCodes maps the codes of countries to the least and the greatest number of
// digits that follow them.
var countryCodes = func() map[string][2]int {
	const own = "1:10-10 7:10-10 20:8-10 27:9-9 30:10-10 31:9-9 32:8-9 33:9-9 34:9-9 36:8-9 39:7-11 40:9-9 41:9-9 43:7-12 44:9-10 45:8-8 46:7-10 47:8-8 48:9-9 " +
		"49:7-11 51:8-9 52:10-10 53:7-8 54:10-11 55:10-11 56:8-9 57:8-10 58:10-10 60:8-10 61:9-9 62:8-12 63:8-10 64:8-10 65:8-8 66:8-9 81:9-10 82:8-11 84:9-10 " +
		"86:10-11 90:10-10 91:10-10 92:9-10 93:9-9 94:9-9 95:7-10 98:10-10 350:8-8 351:9-9 352:6-11 353:7-9 358:6-11 359:8-9 370:8-8 371:8-8 372:7-8 380:9-9 " +
		"381:8-9 385:8-9 386:8-8 420:9-9 421:9-9 852:8-8 853:8-8 880:8-10 886:8-9 961:7-8 962:8-9 965:8-8 966:8-9 971:8-9 972:8-9 974:8-8 977:8-10 998:9-9"
	t := map[string][2]int{}
	for entry := range strings.FieldsSeq(own) {
		code, lengths, _ := strings.Cut(entry, ":")
		least, most, _ := strings.Cut(lengths, "-")
		a, err1 := strconv.Atoi(least)
		b, err2 := strconv.Atoi(most)
		if err1 == nil && err2 == nil {
			t[code] = [2]int{a, b}
		}
	}
	for _, tens := range [...]string{"21", "22", "23", "24", "25", "26", "29", "35", "37", "38", "42", "50", "59", "67", "68", "69", "80", "85", "88", "96", "97", "99"} {
		for last := byte('0'); last <= '9'; last++ {
			if code := tens + string(last); t[code] == [2]int{} {
				t[code] = [2]int{6, 10}
			}
		}
	}
	return t
}()
