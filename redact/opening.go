package redact

import "strings"

// maxOpen bounds for how many strings an opening lasts.
const maxOpen = 8

// opening is the end of a string that announces a secret in one of the next strings,
// such as "The password is:" in one part of a message, or the first half of a private
// key. Parts are shown as one text.
type opening struct {
	text string // the announcement; empty: there is none
	left int    // strings for which it lasts
}

// note remembers the end of a string if it announces a secret.
func (o *opening) note(d *Detector, s string) {
	if o.left > 0 {
		o.left--
	}
	end := strings.TrimRight(s, " \t\r\n*`\"'")
	if end == "" {
		return
	}
	if c := end[len(end)-1]; c == ':' || c == '=' || strings.HasSuffix(end, " is") || strings.HasSuffix(end, " was") {
		const probe = "\nXq7zR2Lw9Tb4Kc0Pv"
		tail := end[max(0, len(end)-64):]
		if assignedName.MatchString(tail) && d.assigned && reaches(d.Find(tail+probe), len(tail)+1) {
			*o = opening{tail, maxOpen}
		}
	}
	if strings.Contains(s, "PRIVATE KEY") && !strings.Contains(s[strings.LastIndex(s, "PRIVATE KEY"):], "-----END") {
		if found := d.Find(s); len(found) > 0 && found[len(found)-1].Kind == privateKey && found[len(found)-1].End == len(s) && !strings.Contains(s[found[len(found)-1].Start:], "-----END") {
			*o = opening{"-----BEGIN PRIVATE KEY-----", maxOpen}
		}
	}
}

// clean returns a string in which nothing is left that an earlier one announced.
func (o *opening) clean(d *Detector, s string) string {
	if o.left == 0 || s == "" {
		return s
	}
	before := o.text + "\n"
	return d.fixed(s, func(s string) []Match { return within(d.Find(before+s), len(before), len(s)) })
}

// reaches reports whether one of the matches ends behind a place.
func reaches(found []Match, at int) bool {
	return len(found) > 0 && found[len(found)-1].End > at
}

// within returns the parts of the matches that lie in so many bytes behind so many
// others, by their places there.
func within(found []Match, before, length int) (out []Match) {
	for _, m := range found {
		if m.End > before && m.Start < before+length {
			out = append(out, Match{m.Kind, m.Class, max(m.Start-before, 0), min(m.End-before, length)})
		}
	}
	return out
}
