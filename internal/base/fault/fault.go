package fault

import (
	"fmt"
	"strings"
)

// Fault is one mistake.
type Fault struct {
	File     string `json:"file,omitempty"`   // path as the person gave it; may be empty
	Line     int    `json:"line,omitempty"`   // counted from 1; 0 when unknown
	Column   int    `json:"column,omitempty"` // counted from 1; 0 when unknown
	Path     string `json:"path,omitempty"`   // place inside the document, for example evaluators[2].rate
	Problem  string `json:"problem"`
	Expected string `json:"expected,omitempty"` // what was expected, or how to fix it
}

// String returns FILE:LINE:COLUMN: path: problem; expected.
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		b.WriteByte(':')
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Expected != "" {
		b.WriteString("; ")
		b.WriteString(f.Expected)
	}
	return b.String()
}

// List holds all mistakes of one document, so that a person can fix them in one go.
type List []Fault

// Error returns one line per fault.
func (fs List) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Add appends a fault at path.
func (fs *List) Add(path, problem, expected string) {
	*fs = append(*fs, Fault{Path: path, Problem: problem, Expected: expected})
}

// Under appends faults found in a part of the document, with their paths put
// below prefix.
func (fs *List) Under(prefix string, part List) {
	for _, f := range part {
		switch {
		case f.Path == "":
			f.Path = prefix
		case strings.HasPrefix(f.Path, "["):
			f.Path = prefix + f.Path
		default:
			f.Path = prefix + "." + f.Path
		}
		*fs = append(*fs, f)
	}
}

// Err returns the faults as an error, or nil when there are none.
func (fs List) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}
