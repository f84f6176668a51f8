package redact

import (
	"regexp"
	"strconv"
	"strings"
)

// phoneNumber matches the forms of telephone numbers: with the code of a country, in
// national forms that are told by their punctuation, and any other that a word before
// it has to announce.
var phoneNumber = regexp.MustCompile(`(\+[1-9](?:[ .()/-]{0,3}[0-9]){6,14}|` +
	`00[1-9](?:[ .()/-]{0,2}[0-9]){7,13}|` +
	`(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}|` + // North America
	`(?:8 ?)?\([0-9]{2,5}\) ?[0-9]{2,5}(?:[ .-]?[0-9]{2,4}){1,3}|` + // Russia, Brazil, Australia and others
	`[1-9][0-9] 9[0-9]{4}-[0-9]{4}|` + // Brazil
	`1[3-9][0-9](?:-[0-9]{4}-[0-9]{4}| [0-9]{4} [0-9]{4})|` + // China
	`0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4})|` + // France
	`0[0-9]{1,4}[ /-][0-9]{3,4}[ -]?[0-9]{3,5}(?:-[0-9]{1,3})?|` + // Germany, Great Britain, Japan and others
	`[0-9](?:[ .()/-]{0,2}[0-9]){6,14})`)

var (
	pairedPhone = regexp.MustCompile(`^0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4})$`)
	northPhone  = regexp.MustCompile(`^(?:1[ .-])?\(?([2-9][0-9]{2})\)?[ .-]?([0-9]{3})[ .-]([0-9]{4})$`)
	formPhone   = regexp.MustCompile(`^(?:(?:8 ?)?\([0-9]{2,5}\).*|[1-9][0-9] 9[0-9]{4}-[0-9]{4}|1[3-9][0-9][ -][0-9]{4}[ -][0-9]{4}|0[0-9]{1,4}[ /-][0-9]{3,4}[ -]?[0-9]{3,5}(?:-[0-9]{1,3})?)$`)
)

// isPhone returns the end of the telephone number in text[start:end], start if there
// is none.
func isPhone(text string, start, end int) int {
	s := text[start:end]
	before, after := byte(0), byteAt(text, end)
	if start > 0 {
		before = text[start-1]
	}
	if isWordByte(before) || before == '.' || before == '+' || before == '-' {
		return start
	}
	switch {
	case s[0] == '+':
		return internationalEnd(text, start, start+1, end)
	case strings.HasPrefix(s, "00"):
		if strings.ContainsAny(s, " -/.(") || labelBefore(text, start) == labelPhone {
			return internationalEnd(text, start, start+2, end)
		}
		return start
	case isWordByte(after) || after == '-' || after == '.' && isDigit(byteAt(text, end+1)):
		return start
	case isDate(s):
		return start
	}
	what := labelBefore(text, start)
	if what == labelPhone {
		return end
	}
	if what == labelOther || what == labelVersion {
		return start
	}
	switch n := len(digitsOf(s)); {
	case pairedPhone.MatchString(s):
		// Five pairs, as in France, unless a further pair is next to them.
		pairBefore := start > 1 && (before == ' ' || before == '.') && isDigit(text[start-2])
		pairAfter := (after == ' ' || after == '.') && isDigit(byteAt(text, end+1))
		if !pairBefore && !pairAfter && !isSequence(s) {
			return end
		}
	case northPhone.MatchString(s):
		if isNorth(s) && strings.ContainsAny(s, ".-(") {
			return end
		}
	case formPhone.MatchString(s):
		if n >= 8 && n <= 13 && !isYearInBrackets(s) {
			return end
		}
	}
	return start
}

// isNorth reports whether a number may be one of North America: neither its area nor
// its exchange begins with 0 or 1, and the area is one that is given out.
func isNorth(s string) bool {
	d := digitsOf(s)
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

func isYearInBrackets(s string) bool {
	_, in, _ := strings.Cut(s, "(")
	in, _, _ = strings.Cut(in, ")")
	return len(in) == 4 && (in[:2] == "19" || in[:2] == "20") || len(in) == 3 && in[0] != '0' && s[0] == '(' && !isNorth("0000000"+in+digitsOf(s)[3:])
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
		if isInternational(digitsOf(text[code:end])) {
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
// its numbers have (ITU-T E.164 and the national plans).
func isInternational(d string) bool {
	for n := 1; n <= 3 && n < len(d); n++ {
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
