package datadog

import "io/fs"

// RenderFrom is Render for files of a test.
func RenderFrom(from fs.FS, v Values) ([]Object, []Omission, error) { return render(from, v) }

// Differences is compare.
func Differences(ours, theirs map[string]any) []Field { return compare(ours, theirs) }
