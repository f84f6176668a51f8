package event

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// Warning says that a member of an event is not read, or not as it stands. It holds names
// and types, never values. Two warnings are equal when they say the same.
type Warning struct {
	// Field is the member's path as it was published, such as "promt_version" or
	// "usage.prompt_tokens". Of a long name it is the beginning.
	Field string
	// Problem says what is wrong with it, for example "a JSON string".
	Problem string

	want string // what its value has to be, or what to do
	of   string // path of the object that does not define the member
}

// problemUnknown is the problem of a member that its object does not define.
const problemUnknown = "unknown field"

// Unknown reports whether the member is one that events do not have. It is published as it
// stands, and no evaluator reads it.
func (w Warning) Unknown() bool { return w.Problem == problemUnknown }

// Mend says what to write instead, for example "want a number" or "did you mean
// prompt_version?"; empty when nothing is known. It compares the member with all names
// that there are, so a caller that asks for many events keeps what it returned.
func (w Warning) Mend() string {
	if !w.Unknown() || w.want != "" {
		return w.want
	}
	name := strings.TrimPrefix(w.Field, w.of)
	if near := fault.Nearest(name, theTables.namesOf(w.of)); near != "" {
		return "did you mean " + w.of + near + "?"
	}
	return ""
}

// String returns the warning in one line.
func (w Warning) String() string {
	if w.Unknown() {
		text := fmt.Sprintf("unknown field %q", w.Field)
		switch mend := w.Mend(); {
		case mend == "":
		case w.want == "":
			near := strings.TrimSuffix(strings.TrimPrefix(mend, "did you mean "), "?")
			text += fmt.Sprintf(", did you mean %q?", near)
		default:
			text += ", " + mend
		}
		return text
	}
	if w.want == "" {
		return w.Field + ": " + w.Problem
	}
	return w.Field + ": " + w.Problem + ", " + w.want
}

// Bounds of what is said about one event.
const (
	maxWarnings  = 20
	maxNameBytes = 64
)

// Warnings are those of one event.
type Warnings struct {
	List []Warning // the first, each once, at most 20
	More int       // the number of further ones, some perhaps twice
}

// warn keeps a warning.
func (d *decoder) warn(w Warning) {
	switch {
	case !d.warns || slices.Contains(d.warnings.List, w):
	case len(d.warnings.List) == maxWarnings:
		d.warnings.More++
	default:
		d.warnings.List = append(d.warnings.List, w)
	}
}

// unknown notes a member that its object does not define. Its name is not content.
func (d *decoder) unknown(prefix string, name []byte, want string) {
	if !d.warns || d.around > 0 {
		return
	}
	text, err := jsonscan.Unquote(`"` + string(name) + `"`)
	if err != nil {
		return
	}
	d.warn(Warning{Field: prefix + shortName(text), Problem: problemUnknown, want: want, of: prefix})
}

func shortName(name string) string {
	if len(name) > maxNameBytes {
		return strings.ToValidUTF8(name[:maxNameBytes], "") + "..."
	}
	return name
}

// String returns the warnings in one line, separated by semicolons.
func (ws Warnings) String() string {
	texts := make([]string, 0, len(ws.List)+1)
	for _, w := range ws.List {
		texts = append(texts, w.String())
	}
	if ws.More > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", ws.More))
	}
	return strings.Join(texts, "; ")
}
