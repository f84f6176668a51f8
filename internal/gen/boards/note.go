package boards

import (
	"fmt"
	"regexp"
	"strings"
)

const link = "#1f5fbf"

var marks = regexp.MustCompile("\\*\\*([^*]+)\\*\\*|\\*([^*]+)\\*|`([^`]+)`|\\[([^\\]]+)\\]\\([^)]+\\)")

// note draws Markdown: headings, paragraphs, bold and emphasised words, code and
// links. A text that does not fit its frame is an error, because it would be cut.
func (b *board) note(content string, f frame) error {
	y := f.y + 8
	for block := range strings.SplitSeq(content, "\n\n") {
		st, high := textStyle{size: 13, color: ink}, 18.0
		if heading, ok := strings.CutPrefix(block, "## "); ok {
			block, st, high = heading, textStyle{size: 15, color: ink, bold: true}, 20
		}
		for _, l := range lines(spansOf(strings.ReplaceAll(block, "\n", " "), st), f.w-2*padding) {
			y += high
			b.spans(f.x+padding, y, l)
		}
		y += 7
	}
	if y-7 > f.y+f.h-6 {
		return fmt.Errorf("the text needs %.0f pixels and has %.0f: shorten it or make the note higher", y-7-f.y, f.h-6)
	}
	return nil
}

// lines breaks a paragraph into lines that have room, at its spaces.
func lines(spans []span, room float64) [][]span {
	out, x, space := [][]span{nil}, 0.0, false
	for _, s := range spans {
		for word := range strings.SplitAfterSeq(s.text, " ") {
			if x == 0 {
				word = strings.TrimLeft(word, " ")
			}
			if word == "" {
				continue
			}
			if x+width(strings.TrimRight(word, " "), s.style) > room && space {
				out, x = append(out, nil), 0
			}
			last := &out[len(out)-1]
			if n := len(*last); n > 0 && (*last)[n-1].style == s.style {
				(*last)[n-1].text += word
			} else {
				*last = append(*last, span{word, s.style})
			}
			x += width(word, s.style)
			space = strings.HasSuffix(word, " ")
		}
	}
	return out
}

// spansOf cuts a paragraph where its style changes.
func spansOf(s string, st textStyle) []span {
	var out []span
	at := 0
	for _, m := range marks.FindAllStringSubmatchIndex(s, -1) {
		out = append(out, span{s[at:m[0]], st})
		part := func(i int) string { return s[m[2*i]:m[2*i+1]] }
		styled := st
		switch {
		case m[2] >= 0:
			styled.bold = true
			out = append(out, span{part(1), styled})
		case m[4] >= 0:
			styled.italic = true
			out = append(out, span{part(2), styled})
		case m[6] >= 0:
			styled.mono, styled.size = true, st.size-0.5
			out = append(out, span{part(3), styled})
		default:
			styled.color = link
			out = append(out, span{part(4), styled})
		}
		at = m[1]
	}
	return append(out, span{s[at:], st})
}

// wrap cuts a text into lines that have room.
func wrap(s string, room float64, st textStyle) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case width(line+" "+word, st) > room:
			out, line = append(out, line), word
		default:
			line += " " + word
		}
	}
	return append(out, line)
}
