package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker where programs are built from an archive of the sources, in which Go
// finds no version control, as in an image: -X github.com/.../internal/cli.version=...
var version, revision, modified string

// Build describes how a program was built.
type Build struct {
	Version  string `json:"version"`            // of the release or the module; devel for a build of a working copy
	Revision string `json:"revision,omitempty"` // of the sources; empty: not known
	Modified bool   `json:"modified"`           // the sources differed from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ReadBuild returns the build of the running program: what the linker was told, and else
// what Go found in version control.
func ReadBuild() Build {
	info, _ := debug.ReadBuildInfo()
	return readBuild(info, version, revision, modified)
}

func readBuild(info *debug.BuildInfo, version, revision, modified string) Build {
	b := Build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if version != "" || revision != "" {
		b.Version, b.Revision, b.Modified = cmp.Or(version, b.Version), revision, modified == "true"
		return b
	}
	if info == nil {
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

// String returns the version, the revision if it is known and whether the sources
// differed from it, Go and the platform.
func (b Build) String() string {
	revision := ""
	if b.Revision != "" {
		revision = " " + b.Revision[:min(12, len(b.Revision))]
		if b.Modified {
			revision += " modified"
		}
	}
	return fmt.Sprintf("%s%s %s %s", b.Version, revision, b.Go, b.Platform)
}
