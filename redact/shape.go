package redact

// shape is a form of a number: d is a digit, N one from 2 to 9, Z one from 1 to 9, L a
// capital letter; every other character stands for itself.
type shape struct {
	Kind
	form  string
	holds func(text string, start, end int) bool // for a text of that form
}

// shapes is a table of shapes by the first byte that they may have.
type shapes struct {
	by    [256][]leadShape
	phone bool // telephone numbers without a shape are looked for too
}

// leadShape is a shape with the number of digits with which it begins.
type leadShape struct {
	shape
	lead int
}

func (t *shapes) add(s shape) {
	lead := 0
	for lead < len(s.form) && (isDigit(s.form[lead]) || s.form[lead] == 'd' || s.form[lead] == 'N' || s.form[lead] == 'Z') {
		lead++
	}
	for c := range t.by {
		if fits(byte(c), s.form[0]) {
			t.by[c] = append(t.by[c], leadShape{s, lead})
		}
	}
}

func fits(c, want byte) bool {
	switch want {
	case 'd':
		return isDigit(c)
	case 'N':
		return c >= '2' && c <= '9'
	case 'Z':
		return c >= '1' && c <= '9'
	case 'L':
		return c >= 'A' && c <= 'Z'
	}
	return c == want
}

// Least numbers of digits of a text that holds a number with a shape, and one that a
// word tells.
const (
	leastDigits   = 5
	leastLabelled = 2
)

// find appends the numbers of the text that have one of the shapes: the longest one at
// each place. They touch no other word and no part of a longer number.
func (t *shapes) find(found []Match, h *haystack) []Match {
	text, done := h.text, 0 // what is before done has been found
	for _, at := range h.words {
		i := int(at)
		c := text[i]
		if i < done || !isDigit(c) && len(t.by[c]) == 0 && c != '+' {
			continue
		}
		if i > 0 && (isWordByte(text[i-1]) || text[i-1] == '.' || text[i-1] == '+' || text[i-1] == '-') {
			continue
		}
		best := Match{Start: i}
		lead := digitsFrom(text, i)
		for k := range t.by[c] {
			s := &t.by[c][k]
			end := i + len(s.form)
			if s.lead != lead || end > len(text) || end <= best.End || !s.matches(text, i) {
				continue
			}
			if next := byteAt(text, end); isWordByte(next) || next == '-' && isDigit(byteAt(text, end+1)) || !s.holds(text, i, end) {
				continue
			}
			best.Kind, best.Class, best.End = s.Name, s.Class, end
		}
		if t.phone && (isDigit(c) || c == '+') && i+6 < len(text) {
			if end := phoneEnd(text, i); end > best.End {
				best.Kind, best.Class, best.End = "phone", ClassPII, end
			}
		}
		if best.End > 0 {
			found = append(found, best)
			done = best.End
		}
	}
	return found
}

func (s *shape) matches(text string, i int) bool {
	for k := 1; k < len(s.form); k++ {
		if !fits(text[i+k], s.form[k]) {
			return false
		}
	}
	return true
}
