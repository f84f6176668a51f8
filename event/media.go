package event

import (
	"strconv"
	"strings"
)

// placeholder returns the words that stand for a picture, a sound or a file in a
// text: its kind and its size, if it is known, such as "[image, 50 KB]".
func placeholder(kind string, size int) string {
	switch {
	case size <= 0:
		return "[" + kind + "]"
	case size < 1000:
		return "[" + kind + ", " + strconv.Itoa(size) + " B]"
	case size < 1_000_000:
		return "[" + kind + ", " + strconv.Itoa((size+500)/1000) + " KB]"
	}
	return "[" + kind + ", " + strconv.Itoa((size+500_000)/1_000_000) + " MB]"
}

// mediaKind returns the kind of a media type such as image/png, and else the kind
// that is given.
func mediaKind(mediaType, kind string) string {
	major, _, ok := strings.Cut(strings.ToLower(mediaType), "/")
	switch {
	case !ok:
		return kind
	case major == "image", major == "audio", major == "video":
		return major
	}
	return "file"
}

// media returns the placeholder of a part that holds a picture, a sound or a file.
func (f *fields) media(kind string) string {
	m := medium{kind: kind}
	m.read(f)
	for _, n := range [...]field{
		fieldImageURL, fieldInlineData, fieldFileData, fieldSource, fieldImage, fieldInputAudio, fieldAudio, fieldVideo, fieldDocument, fieldFile,
	} {
		v := f.get(n)
		switch jsonKind(v) {
		case "string":
			m.data(stringOf(v))
		case "object":
			inner, _ := fieldsOf(v)
			m.read(&inner)
			if source, ok := fieldsOf(inner.get(fieldSource)); ok { // Bedrock: {"image":{"format":"png","source":{"bytes":"..."}}}
				m.read(&source)
			}
		}
	}
	return placeholder(mediaKind(m.mediaType, m.kind), m.size)
}

// medium is what is known of a picture, a sound or a file.
type medium struct {
	kind, mediaType string
	size            int
}

// read takes the media type and the data from an object.
func (m *medium) read(f *fields) {
	if t := f.text(fieldMediaType); t != "" {
		m.mediaType = t
	}
	for _, n := range [...]field{fieldData, fieldURL, fieldImageURL, fieldFileData} {
		if f.is(n, "string") {
			m.data(f.text(n))
		}
	}
}

// data takes the size, and the media type of a data URL, from base64 text. A URL or
// an id says nothing about the size.
func (m *medium) data(s string) {
	if head, data, ok := strings.Cut(s, dataMark); ok && strings.HasPrefix(head, "data:") {
		mediaType, size := replacedSize(head)
		if mediaType != "" {
			m.mediaType = mediaType
		}
		m.size, s = max(m.size, size), data
	} else if len(s) < shortestData || strings.Contains(s, "://") {
		return
	}
	m.size = max(m.size, decodedSize(len(s)))
}

// shortestData is the length from which text without spaces in the place of data is
// taken for base64 and not for a name or an id.
const shortestData = 128

// hideData replaces data URLs, and other long runs of base64, in a text by
// placeholders.
func hideData(s string) string { return hideRuns(hideURLs(s)) }

// hideRuns replaces runs of base64 that are longer than any word, path or digest. A
// run has letters in both cases and digits: a ruled line is not data.
func hideRuns(s string) string {
	const shortest = 1024
	if len(s) < shortest {
		return s
	}
	var b strings.Builder
	kept := 0 // bytes of s that b has
	for i := 0; i < len(s); i++ {
		start, upper, lower, digit := i, false, false, false
		for ; i < len(s) && isBase64(s[i]); i++ {
			c := s[i]
			upper, lower, digit = upper || 'A' <= c && c <= 'Z', lower || 'a' <= c && c <= 'z', digit || '0' <= c && c <= '9'
		}
		if i-start >= shortest && upper && lower && digit {
			b.WriteString(s[kept:start])
			b.WriteString(placeholder("data", decodedSize(i-start)))
			kept = i
		}
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// hideURLs replaces the data URLs in a text.
func hideURLs(s string) string {
	const mark = dataMark
	if !strings.Contains(s, mark) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, mark)
		if i < 0 {
			break
		}
		end := i + len(mark)
		for end < len(s) && isBase64(s[end]) {
			end++
		}
		near := max(0, i-longestMediaType)
		start, mediaType, size := strings.LastIndex(s[near:i], "data:"), "", 0
		if start >= 0 {
			mediaType, size = replacedSize(s[near+start : i])
		}
		if start < 0 || end == i+len(mark) && size == 0 {
			b.WriteString(s[:end])
		} else {
			b.WriteString(s[:near+start])
			b.WriteString(placeholder(mediaKind(mediaType, "file"), max(size, decodedSize(end-i-len(mark)))))
		}
		s = s[end:]
	}
	b.WriteString(s)
	return b.String()
}
