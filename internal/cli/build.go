package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Build describes how a program was built.
type Build struct {
	Version  string `json:"version"`            // of the module; devel for a build of a working copy
	Revision string `json:"revision,omitempty"` // of the sources
	Modified bool   `json:"modified,omitempty"` // the sources differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ReadBuild returns the build of the running program.
func ReadBuild() Build {
	b := Build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns the version, the revision if it is known, Go and the platform.
func (b Build) String() string {
	revision := ""
	if b.Revision != "" {
		revision = " " + b.Revision[:min(12, len(b.Revision))]
	}
	return fmt.Sprintf("%s%s %s %s", b.Version, revision, b.Go, b.Platform)
}
