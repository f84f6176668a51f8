package redact

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// label is what the words before a number say that it is.
type label uint8

const (
	labelNone label = iota
	labelPhone
	labelSSN
	labelVersion
	labelOther // an order, a page, a part: no telephone number, nobody's
)

// labels maps words in small letters to what they announce. Those that end in a
// language without spaces are in labelEndings.
var labels = map[string]label{
	"tel": labelPhone, "telephone": labelPhone, "telefon": labelPhone, "telefono": labelPhone, "teléfono": labelPhone, "telefone": labelPhone, "téléphone": labelPhone,
	"phone": labelPhone, "phones": labelPhone, "mobile": labelPhone, "mobil": labelPhone, "móvil": labelPhone, "movil": labelPhone, "celular": labelPhone, "cell": labelPhone,
	"cellphone": labelPhone, "handy": labelPhone, "fax": labelPhone, "call": labelPhone, "ring": labelPhone, "dial": labelPhone, "sms": labelPhone, "whatsapp": labelPhone,
	"ligue": labelPhone, "liga": labelPhone, "llame": labelPhone, "llama": labelPhone, "llámame": labelPhone, "appelez": labelPhone, "appeler": labelPhone, "rufen": labelPhone,
	"anrufen": labelPhone, "bel": labelPhone, "chiama": labelPhone, "chiamare": labelPhone, "hotline": labelPhone, "звоните": labelPhone, "позвоните": labelPhone, "тел": labelPhone,
	"телефон": labelPhone, "telefoon": labelPhone, "telefonu": labelPhone, "puhelin": labelPhone, "telefonnummer": labelPhone, "phonenumber": labelPhone, "landline": labelPhone,
	"phone_number": labelPhone, "mobile_number": labelPhone, "tel_no": labelPhone, "phone_no": labelPhone, "contact_number": labelPhone, "gsm": labelPhone,
	"ssn": labelSSN, "social": labelSSN,
	"version": labelVersion, "ver": labelVersion, "release": labelVersion, "build": labelVersion, "firmware": labelVersion, "driver": labelVersion, "v": labelVersion, "versions": labelVersion, "versión": labelVersion,
	"order": labelOther, "orders": labelOther, "invoice": labelOther, "part": labelOther, "parts": labelOther, "sku": labelOther, "isbn": labelOther, "issn": labelOther, "ticket": labelOther, "page": labelOther,
	"pages": labelOther, "reference": labelOther, "ref": labelOther, "serial": labelOther, "article": labelOther, "artikel": labelOther, "bestellung": labelOther, "rechnung": labelOther,
	"tracking": labelOther, "item": labelOther, "product": labelOther, "model": labelOther, "doi": labelOther, "patent": labelOther,
}

// labelEndings are the ends of words in languages that do not part them.
var labelEndings = [...]string{"电话", "電話", "手机", "手機", "拨打", "致电", "联系", "热线", "携帯", "전화", "연락처", "번호", "फोन", "📞", "📱", "☎"}

// fillers may stand between a label and its number.
var fillers = [...]string{
	"number", "no", "nr", "num", "nummer", "número", "numero", "me", "us", "him", "her", "them", "at", "on", "is", "para", "al", "le", "el", "a", "o", "un", "unter", "our", "my", "the", "office",
	"free", "toll", "sie", "uns", "mich", "bitte", "by", "to", "de", "no.", "of", "security", "now", "back", "please", "it", "was", "for", "support", "home", "work", "security_number",
}

// labelBefore returns what the words before text[at] announce: the last of them that
// is not a filler, on the same line.
func labelBefore(text string, at int) label {
	first := max(0, at-64)
	if strings.HasSuffix(text[first:at], "wa.me/") {
		return labelPhone
	}
	end := at
	for range 5 {
		gap := 0
		for end > first && !isLabelByte(text[end-1]) {
			if c := text[end-1]; c == '\n' || c == ',' || c == ';' || c == '{' || c == '[' || c == '}' || c == ']' || c == part[0] || isDigit(c) {
				return labelNone
			}
			end--
			if gap++; gap > 6 {
				return labelNone
			}
		}
		start := end
		for start > first && isLabelByte(text[start-1]) {
			start--
		}
		if start == end || start > 0 && isDigit(text[start-1]) {
			return labelNone
		}
		word := strings.ToLower(text[start:end])
		if l, ok := labels[word]; ok {
			return l
		}
		if word[len(word)-1] >= utf8.RuneSelf {
			for _, ending := range labelEndings {
				if strings.HasSuffix(word, ending) {
					return labelPhone
				}
			}
		}
		if !slices.Contains(fillers[:], word) {
			return labelNone
		}
		end = start
	}
	return labelNone
}

func isLabelByte(c byte) bool { return isLetter(c) || c >= utf8.RuneSelf || c == '_' }
