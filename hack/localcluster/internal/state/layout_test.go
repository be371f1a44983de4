// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"io/fs"
	"os"
	"testing"
)

func TestFromEnvironment(t *testing.T) {
	cases := map[string]struct {
		environment map[string]string
		want        Layout
	}{
		"nothing said": {
			map[string]string{"HOME": "/root"},
			Layout{Root: "/var/lib/chattenant-local", Cache: "/root/.cache/chattenant"},
		},
		"everything said": {
			map[string]string{"HOME": "/root", "CHATTENANT_STATE": "/srv/state", "XDG_CACHE_HOME": "/srv/cache"},
			Layout{Root: "/srv/state", Cache: "/srv/cache/chattenant"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := FromEnvironment(func(key string) string { return c.environment[key] })
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestClustersWithDifferentFoldersHaveDifferentNames(t *testing.T) {
	names := map[string]bool{}
	for _, root := range []string{defaultRoot, "/srv/a", "/srv/b"} {
		names[Layout{Root: root}.Name()] = true
	}
	if len(names) != 3 || !names["chattenant-local"] {
		t.Errorf("names are %v", names)
	}
}

func TestNobodyElseReadsTheState(t *testing.T) {
	layout := Layout{Root: t.TempDir() + "/state", Cache: t.TempDir()}
	if err := layout.Create(); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, layout.Root); mode != 0o700 {
		t.Errorf("mode is %o", mode)
	}
}
func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
