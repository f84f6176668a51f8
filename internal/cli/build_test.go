package cli

import (
	"runtime/debug"
	"testing"
)

// TestReadBuild: what the linker was told wins over version control, which wins over
// nothing at all.
func TestReadBuild(t *testing.T) {
	t.Parallel()
	found := &debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "found"}, {Key: "vcs.modified", Value: "true"}},
	}
	for name, tt := range map[string]struct {
		info                        *debug.BuildInfo
		version, revision, modified string
		want                        Build
	}{
		"nothing":                       {want: Build{Version: "devel"}},
		"a working copy":                {info: &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, want: Build{Version: "devel"}},
		"version control":               {info: found, want: Build{Version: "v1.2.3", Revision: "found", Modified: true}},
		"an image":                      {info: found, version: "v2.0.0", revision: "told", want: Build{Version: "v2.0.0", Revision: "told"}},
		"an image of a changed tree":    {version: "v2.0.0", revision: "told", modified: "true", want: Build{Version: "v2.0.0", Revision: "told", Modified: true}},
		"an image of what has no name":  {revision: "told", modified: "false", want: Build{Version: "devel", Revision: "told"}},
		"an image of an archive's name": {version: "v2.0.0", want: Build{Version: "v2.0.0"}},
	} {
		got := readBuild(tt.info, tt.version, tt.revision, tt.modified)
		if tt.want.Go, tt.want.Platform = got.Go, got.Platform; got != tt.want || got.Go == "" || got.Platform == "" {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
