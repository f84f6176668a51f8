package redact

import (
	"strconv"
	"strings"
)

// ibanLengths are the lengths of account numbers by country (the registry of
// ISO 13616).
const ibanLengths = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 " +
	"GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 " +
	"OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"

// ibanStarters returns a starter for each country, in capitals and in small letters.
func ibanStarters() (out []starter) {
	kind := Kind{"iban", ClassPII, "international bank account number"}
	for entry := range strings.FieldsSeq(ibanLengths) {
		length, err := strconv.Atoi(entry[2:])
		if err != nil {
			continue // TestTables finds it
		}
		for _, country := range [...]string{entry[:2], strings.ToLower(entry[:2])} {
			out = append(out, starter{kind, country, func(text string, i int) (int, int) { return i, ibanEnd(text, i, length) }})
		}
	}
	return out
}

// ibanEnd returns the end of the account number at i, 0 if there is none: so many
// letters and digits, perhaps with a space or a dash before a group, whose check
// digits are right.
func ibanEnd(text string, i, length int) int {
	if i+length > len(text) || !isDigit(text[i+2]) || !isDigit(text[i+3]) {
		return 0
	}
	var buf [40]byte
	bare := buf[:0]
	for ; len(bare) < length && i < len(text); i++ {
		switch c := text[i]; {
		case isDigit(c):
			bare = append(bare, c)
		case isLetter(c):
			bare = append(bare, c&^0x20)
		case (c == ' ' || c == '-') && i > 0 && isWordByte(text[i-1]) && isWordByte(byteAt(text, i+1)):
		default:
			return 0
		}
	}
	if len(bare) < length || i < len(text) && isWordByte(text[i]) || !ibanHolds(string(bare)) {
		return 0
	}
	return i
}

// ibanHolds reports whether an account number's check digits are right (ISO 13616).
func ibanHolds(s string) bool {
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
