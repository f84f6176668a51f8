package boards

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// canvas collects the elements of a picture. Colours are those of a light page, so the
// picture has a ground of its own and looks the same on a dark one.
type canvas struct {
	bytes.Buffer
}

const (
	ink    = "#1f2933"
	faint  = "#66727f"
	line   = "#e1e5ea"
	paper  = "#ffffff"
	ground = "#f3f4f6"
	red    = "#c4314b"
)

// fontStack is what browsers have; of these, DejaVu Sans is the widest, and widths are
// those of its letters, so that a text never needs more room than it was given.
const fontStack = "system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif"

type textStyle struct {
	size   float64
	color  string
	bold   bool
	mono   bool
	italic bool
	anchor string // start, middle or end; empty is start
	halo   bool   // a white rim, for what stands upon lines
}

func (c *canvas) text(x, y float64, s string, st textStyle) {
	c.spans(x, y, []span{{s, st}})
}

// span is a piece of text in one style.
type span struct {
	text  string
	style textStyle
}

// spans draws pieces one after the other, wherever the reader's letters let each end.
func (c *canvas) spans(x, y float64, pieces []span) {
	fmt.Fprintf(c, `<text x="%s" y="%s"`, num(x), num(y))
	first := pieces[0]
	if len(pieces) == 1 {
		if first.style.anchor != "" {
			fmt.Fprintf(c, ` text-anchor="%s"`, first.style.anchor)
		}
		fmt.Fprintf(c, "%s>%s</text>\n", first.style.attributes(), escape(strings.TrimSpace(first.text)))
		return
	}
	c.WriteString(` xml:space="preserve">`)
	for _, p := range pieces {
		fmt.Fprintf(c, `<tspan%s>%s</tspan>`, p.style.attributes(), escape(p.text))
	}
	c.WriteString("</text>\n")
}

func (st textStyle) attributes() string {
	weight, more := "400", ""
	if st.bold {
		weight = "600"
	}
	if st.mono {
		more = ` font-family="ui-monospace,'DejaVu Sans Mono',monospace"`
	}
	if st.italic {
		more += ` font-style="italic"`
	}
	if st.halo {
		more += ` stroke="#fff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`
	}
	return fmt.Sprintf(` font-size="%s" font-weight="%s" fill="%s"%s`, num(st.size), weight, st.color, more)
}

func (c *canvas) rect(x, y, w, h, radius float64, fill, stroke string) {
	more := ""
	if stroke != "" {
		more += ` stroke="` + stroke + `"`
	}
	if radius > 0 {
		more += ` rx="` + num(radius) + `"`
	}
	fmt.Fprintf(c, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s"%s/>`+"\n", num(x), num(y), num(w), num(h), fill, more)
}

// path draws a line through the points; more is further attributes.
func (c *canvas) path(d, stroke string, width float64, more string) {
	fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s" stroke-width="%s"%s/>`+"\n", d, stroke, num(width), more)
}

func (c *canvas) area(d, fill string, opacity float64) {
	fmt.Fprintf(c, `<path d="%s" fill="%s" fill-opacity="%s"/>`+"\n", d, fill, num(opacity))
}

// num writes a coordinate with one decimal, and a small number with two. The nudge
// keeps halves, which many places are, from being rounded by the last bit of a float, in
// which processors differ.
func num(v float64) string {
	const nudge = 1e-6
	if math.Abs(v) < 1 {
		return strconv.FormatFloat(math.Round(v*100+nudge)/100, 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Round(v*10+nudge)/10, 'f', -1, 64)
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// width is how much room a text takes.
func width(s string, st textStyle) float64 {
	total := 0.0
	for _, r := range s {
		switch {
		case st.mono:
			total += 0.602
		case strings.ContainsRune("ijlI.,:;'|! ", r):
			total += 0.31
		case strings.ContainsRune("frt()[]/-\"*", r):
			total += 0.4
		case strings.ContainsRune("mwMW%@", r):
			total += 0.97
		case r >= 'A' && r <= 'Z':
			total += 0.69
		default:
			total += 0.62
		}
	}
	if st.bold {
		total *= 1.08
	}
	return total * st.size
}

// fit shortens a text in its middle until it has room.
func fit(s string, room float64, st textStyle) string {
	short := s
	for keep := utf8.RuneCountInString(s) - 1; width(short, st) > room && keep > 1; keep-- {
		r := []rune(s)
		short = string(r[:(keep+1)/2]) + "…" + string(r[len(r)-keep/2:])
	}
	return short
}

// number writes a value in its unit, in three digits or so.
func number(v float64, unit string, precision *int) string {
	if math.IsNaN(v) {
		return "–"
	}
	digits := func(v float64) string {
		if precision != nil {
			return strconv.FormatFloat(v, 'f', *precision, 64)
		}
		switch a := math.Abs(v); {
		case a == 0:
			return "0"
		case a < 0.01:
			return strconv.FormatFloat(v, 'g', 2, 64)
		case a < 10:
			return trim(strconv.FormatFloat(v, 'f', 2, 64))
		case a < 100:
			return trim(strconv.FormatFloat(v, 'f', 1, 64))
		}
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	large := func(v float64) string {
		switch a := math.Abs(v); {
		case a >= 1e9:
			return trim(strconv.FormatFloat(v/1e9, 'f', 2, 64)) + "G"
		case a >= 1e6:
			return trim(strconv.FormatFloat(v/1e6, 'f', 2, 64)) + "M"
		case a >= 1e4:
			return trim(strconv.FormatFloat(v/1e3, 'f', 1, 64)) + "k"
		}
		return digits(v)
	}
	switch unit {
	case "percent":
		return digits(v) + " %"
	case "dollar":
		return strings.Replace("$"+large(v), "$-", "-$", 1)
	case "millisecond":
		if math.Abs(v) >= 1000 {
			return trim(strconv.FormatFloat(v/1000, 'f', 2, 64)) + " s"
		}
		return digits(v) + " ms"
	case "second":
		if math.Abs(v) >= 60 {
			return trim(strconv.FormatFloat(v/60, 'f', 1, 64)) + " min"
		}
		return digits(v) + " s"
	}
	return large(v)
}

func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }
