package summary

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// readable returns a name as it is printed: a character that a reader does not see, or that
// controls a terminal or the direction of text, stands as its escape, such as \x1b.
// Joiners within words and emoji stay.
func readable(name string) string {
	seen := func(r rune) bool { return unicode.IsPrint(r) || r == '\u200c' || r == '\u200d' }
	if !strings.ContainsFunc(name, func(r rune) bool { return !seen(r) }) {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case seen(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// columnsOf returns how many columns of a terminal a text takes: two for a wide character,
// none for a combining one.
func columnsOf(s string) int { return uniseg.StringWidth(s) }

// clusters returns what a reader takes for the characters of a text, each with the marks
// that it is combined with.
func clusters(s string) (out []string) {
	for g := uniseg.NewGraphemes(s); g.Next(); {
		out = append(out, g.Str())
	}
	return out
}

// truncate shortens a name to a width, in columns, and makes it readable.
func truncate(s string, width int) string {
	s = readable(s)
	if columnsOf(s) <= width {
		return s
	}
	var b strings.Builder
	used := 0
	for _, c := range clusters(s) {
		if used += columnsOf(c); used > width-1 {
			break
		}
		b.WriteString(c)
	}
	return b.String() + "…"
}

// pad fills a name up to a width, in columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columnsOf(s)))
}

// shorten returns readable names in at most so many columns: in full where they fit;
// without the beginning that all have in common, or without their end, or their
// beginning, where that keeps them apart.
func shorten(names []string, width int) []string {
	if !slices.ContainsFunc(names, func(n string) bool { return columnsOf(n) > width }) {
		return names
	}
	split := make([][]string, len(names))
	for i, n := range names {
		split[i] = clusters(n)
	}
	common := split[0]
	for _, other := range split {
		i := 0
		for i < min(len(common), len(other)) && common[i] == other[i] {
			i++
		}
		common = common[:i]
	}
	// A part that differs is easier to know with the one before it.
	begin := len(common)
	for i := len(common) - 2; i >= 0; i-- {
		if strings.Contains("-_./: ", common[i]) {
			begin = i + 1
			break
		}
	}
	tail := func(n []string) string {
		if s := strings.Join(n, ""); columnsOf(s) <= width {
			return s
		}
		start, used := len(n), 0
		for start > 0 && used+columnsOf(n[start-1]) <= width-1 {
			start--
			used += columnsOf(n[start])
		}
		return "…" + strings.Join(n[start:], "")
	}
	for _, short := range []func(n []string) string{
		func(n []string) string { return "…" + strings.Join(n[begin:], "") },
		func(n []string) string { return truncate(strings.Join(n, ""), width) },
		tail,
	} {
		out, seen := make([]string, len(names)), map[string]bool{"…": true}
		for i, n := range split {
			out[i] = short(n)
			if columnsOf(out[i]) > width || seen[out[i]] {
				out = nil
				break
			}
			seen[out[i]] = true
		}
		if out != nil {
			return out
		}
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = truncate(n, width)
	}
	return out
}

// paragraph writes a text in lines of at most 80 columns, with an indent after the first.
// A no-break space becomes a plain one, and blanks at the beginning stay.
func paragraph(b *strings.Builder, text, indent string) {
	bare := strings.TrimLeft(text, " ")
	b.WriteString(text[:len(text)-len(bare)])
	width, first := len(text)-len(bare), true
	for word := range strings.SplitSeq(bare, " ") {
		word = truncate(strings.ReplaceAll(word, "\u00a0", " "), lineWidth-len(indent))
		n := columnsOf(word)
		switch {
		case first:
			first = false
		case width+1+n > lineWidth:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	b.WriteByte('\n')
}

// rightToLeft are the scripts that are written so.
var rightToLeft = []*unicode.RangeTable{unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam}

// keepOrder puts a mark, which takes no column, after each text that is written from right
// to left. Without it a terminal that follows the direction of text shows the figures
// behind a name before it.
func keepOrder(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, rightToLeft...) }) {
		return text
	}
	var b strings.Builder
	open, blanks := false, 0 // a text from right to left has not ended, and blanks follow
	for _, r := range text {
		switch {
		case open && r == ' ':
			blanks++ // within the text, or behind it
			continue
		case unicode.In(r, rightToLeft...):
			open = true
		case open && !unicode.Is(unicode.M, r):
			b.WriteRune('\u200e')
			open = false
		}
		b.WriteString(strings.Repeat(" ", blanks))
		blanks = 0
		b.WriteRune(r)
	}
	return b.String()
}
