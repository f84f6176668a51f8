package redact

import (
	"regexp"
	"strconv"
	"strings"
)

// nationalKind is the kind of the numbers that states give to people.
func nationalKind() Kind {
	return Kind{"national_id", ClassPII, "number of an identity card, a passport, a tax or an insurance payer, of several countries"}
}

// nationalLabels are the names of such numbers, in small letters.
var nationalLabels = [...]string{
	"aadhaar", "aadhar", "passport", "passeport", "pasaporte", "reisepass", "national insurance", "national id", "national identity", "nino", "identity card", "id card", "personalausweis",
	"driver's license", "driver's licence", "driving licence", "drivers license", "steuer-id", "steueridentifikationsnummer", "steuernummer", "tax id", "taxpayer", "social insurance",
	"codice fiscale", "cpf", "cnpj", "dni", "curp", "pesel", "bsn", "burgerservicenummer", "personnummer", "fødselsnummer", "hetu", "henkilötunnus", "numéro de sécurité sociale",
	"sécurité sociale", "medicare", "nhs number", "pan card", "身份证", "身份證", "마이넘버", "マイナンバー", "주민등록번호", "旅券",
}

func anyOf(words []string) string {
	quoted := make([]string, len(words))
	for i, l := range words {
		quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(l), " ", "[ _-]")
	}
	return `(?:` + strings.Join(quoted, "|") + `)`
}

// labelledID matches one of the names, at most a few words, and the number.
var labelledID = regexp.MustCompile(`(?i)^` + anyOf(nationalLabels[:]) + `["']?[\s_]?` +
	`(?:(?:number|numero|número|nummer|no|nr|num|code|card|id|n°|号码|号|is|es|ist|est)[\s.:_#]{0,3}){0,3}["']?[ \t:.#=]{0,4}["']?([A-Z0-9](?:[ ./-]?[A-Z0-9]){4,22})`)

// nationalStarters returns a starter for each name, which finds the number behind it.
func nationalStarters() (out []starter) {
	id := nationalKind()
	for _, name := range nationalLabels {
		out = append(out, starter{id, name, func(text string, i int) (int, int) {
			if isLetter(byteAt(text, i+len(name))) {
				return 0, 0 // a longer word
			}
			loc := labelledID.FindStringSubmatchIndex(text[i:min(len(text), i+128)])
			if loc == nil {
				return 0, 0
			}
			return i + loc[2], isLabelledID(text, i+loc[2], i+loc[3])
		}})
	}
	return out
}

// isLabelledID returns the end of the number: its groups hold digits, and the words
// behind it do not. It has five digits or more, or is a code in capitals with some.
func isLabelledID(text string, start, end int) int {
	if end < len(text) && isWordByte(text[end]) {
		return start
	}
	digits := 0
	at := start
	for at < end {
		n := strings.IndexAny(text[at:end], " ")
		if n < 0 {
			n = end - at
		}
		group := text[at : at+n]
		d := len(digitsOf(group))
		if d == 0 && (len(group) > 2 || at > start && strings.ToUpper(group) != group) {
			break
		}
		digits += d
		at = min(at+n+1, end)
		if at == end {
			break
		}
	}
	if at < end || text[max(at-1, 0)] == ' ' {
		at--
	}
	if digits >= 5 || digits >= 2 && at-start >= 8 && strings.ToUpper(text[start:at]) == text[start:at] && strings.IndexByte(text[start:at], ' ') < 0 {
		return at
	}
	return start
}

// nationalForms are the forms of numbers whose form and check digits are enough.
func nationalForms() []shape {
	id := nationalKind()
	var out []shape
	add := func(holds func(s, digits string) bool, forms ...string) {
		for _, f := range forms {
			out = append(out, shape{id, f, func(text string, start, end int) bool {
				return strings.IndexByte("-./", byteAt(text, end)) < 0 && holds(text[start:end], digitsOf(text[start:end]))
			}})
		}
	}
	add(func(_, d string) bool { return cpfHolds(d) }, "ddd.ddd.ddd-dd")                                                                               // Brazil
	add(func(s, d string) bool { return isDay(d[6:10], d[10:12], d[12:14]) && chineseHolds(s) }, "dddddddddddddddddd", "dddddddddddddddddX")           // China
	add(func(_, d string) bool { return isDay("2000", d[2:4], d[4:6]) && d[6] != '0' && d[6] != '9' }, "dddddd-ddddddd")                               // Korea
	add(func(s, _ string) bool { return codiceHolds(s) }, "LLLLLLddLddLdddL")                                                                          // Italy
	add(func(s, _ string) bool { return dniHolds(s) }, "ddddddddL", "dddddddd-L", "XdddddddL", "YdddddddL", "ZdddddddL", "X-ddddddd-L", "Y-ddddddd-L") // Spain
	add(func(s, _ string) bool { return ninoHolds(s) }, "LLddddddL", "LL dd dd dd L")                                                                  // Great Britain
	add(func(_, d string) bool { return nirHolds(d) }, "d dd dd dd ddd ddd dd", "ddddddddddddddd")                                                     // France
	add(func(_, d string) bool { return isDay("2000", d[2:4], d[4:6]) && luhnHolds(d) }, "dddddd-dddd", "dddddd+dddd")                                 // Sweden
	add(func(s, d string) bool { return hetuHolds(s, d) }, "dddddd-dddL", "dddddd-dddd", "ddddddAdddL", "ddddddAdddd")                                 // Finland
	out = append(out, shape{id, "Nddd dddd dddd", func(text string, start, end int) bool {                                                             // India
		return verhoeffHolds(digitsOf(text[start:end])) && labelBefore(text, start) != labelOther && !nextToGroup(text, start, end)
	}})
	return out
}

// dniHolds checks a number of Spain: a letter for the number modulo 23.
func dniHolds(s string) bool {
	number := strings.NewReplacer("X", "0", "Y", "1", "Z", "2", "-", "").Replace(s[:len(s)-1])
	v, err := strconv.Atoi(number)
	return err == nil && "TRWAGMYFPDXBNJZSQVHLCKE"[v%23] == s[len(s)-1]
}

// ninoHolds reports whether the letters of a number of Great Britain are given out.
func ninoHolds(s string) bool {
	return strings.IndexByte("DFIQUV", s[0]) < 0 && strings.IndexByte("DFIOQUV", s[1]) < 0 && s[len(s)-1] <= 'D' && s[:2] != "GB" && s[:2] != "NK" && s[:2] != "TN" && s[:2] != "ZZ"
}

// nirHolds checks a number of France: sex, month and a key modulo 97.
func nirHolds(d string) bool {
	v, err := strconv.Atoi(d[:13])
	key, err2 := strconv.Atoi(d[13:])
	return err == nil && err2 == nil && (d[0] == '1' || d[0] == '2') && d[3:5] >= "01" && d[3:5] <= "12" && key == 97-v%97
}

// hetuHolds checks a number of Finland: a day of birth and a character modulo 31.
func hetuHolds(s, d string) bool {
	v, err := strconv.Atoi(d[:9])
	return err == nil && isDay("2000", d[2:4], d[:2]) && "0123456789ABCDEFHJKLMNPRSTUVWXY"[v%31] == s[10]
}

// nextToGroup reports whether one more group of digits is next to a number.
func nextToGroup(text string, start, end int) bool {
	return start > 1 && text[start-1] == ' ' && isDigit(text[start-2]) || byteAt(text, end) == ' ' && isDigit(byteAt(text, end+1))
}

// isDay reports whether a year, a month and a day are those of a person's birth.
func isDay(year, month, day string) bool {
	return year >= "1900" && year <= "2099" && month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

// cpfHolds checks a number of Brazil: two digits, weighted sums modulo 11.
func cpfHolds(d string) bool {
	check := func(n int) byte {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		return byte(sum*10%11%10) + '0'
	}
	return strings.Trim(d, d[:1]) != "" && check(9) == d[9] && check(10) == d[10]
}

// chineseHolds checks a number of China: ISO 7064, modulo 11-2.
func chineseHolds(s string) bool {
	sum := 0
	for i := range 17 {
		sum = (sum + int(s[i]-'0')) * 2 % 11
	}
	return "10X98765432"[sum%11] == s[17]
}

// codiceHolds checks a number of Italy: a letter for the sum of all others, those in
// odd places by a table.
func codiceHolds(s string) bool {
	odd := [...]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i := range 15 {
		v := int(s[i] - 'A')
		if isDigit(s[i]) {
			v = int(s[i] - '0')
		}
		if i%2 == 0 {
			v = odd[v]
		}
		sum += v
	}
	return byte('A'+sum%26) == s[15]
}

// verhoeffHolds checks a number of India by Verhoeff's digit.
func verhoeffHolds(d string) bool {
	// The dihedral group of order ten: rotations below 5, reflections from 5.
	multiply := func(a, b int) int {
		switch {
		case a < 5 && b < 5:
			return (a + b) % 5
		case a < 5:
			return 5 + (a+b)%5
		case b < 5:
			return 5 + (a-b)%5
		}
		return (a - b + 5) % 5
	}
	permuted := [...]int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	c := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		for range i % 8 {
			v = permuted[v]
		}
		c = multiply(c, v)
	}
	return c == 0
}
