package jsonscan

// AppendQuoted appends a text as a JSON string. Bytes that are not UTF-8 become U+FFFD,
// one for each, as in encoding/json; unlike there, characters of HTML are not escaped.
func AppendQuoted(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	text = fullUTF8(text)
	b = append(b, '"')
	for {
		i := plain(text, 0)
		b = append(b, text[:i]...)
		if i == len(text) {
			return append(b, '"')
		}
		switch c := text[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		text = text[i+1:]
	}
}
