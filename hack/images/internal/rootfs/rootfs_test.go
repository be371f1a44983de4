// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReadKeepsLinksAndLeavesDevicesOut(t *testing.T) {
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "a", "b"), 0o750))
	must(os.WriteFile(filepath.Join(root, "a", "file"), []byte("content"), 0o600))
	must(os.Link(filepath.Join(root, "a", "file"), filepath.Join(root, "a", "second")))
	must(os.Symlink("/nowhere", filepath.Join(root, "link")))
	must(syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	entries, err := Read(root)
	must(err)
	var paths []string
	for _, entry := range entries {
		paths = append(paths, entry.Path)
		switch entry.Path {
		case "a/second":
			if entry.HardLink != "a/file" || entry.Source != "" {
				t.Errorf("the second name of a file is %+v", entry)
			}
		case "link":
			if entry.Link != "/nowhere" || entry.Mode&fs.ModeSymlink == 0 {
				t.Errorf("the link is %+v", entry)
			}
		case "a":
			if entry.Mode.Perm() != 0o750 || entry.UID != os.Getuid() {
				t.Errorf("the folder is %+v", entry)
			}
		}
	}
	want := []string{"a", "a/b", "a/file", "a/second", "link"}
	if len(paths) != len(want) {
		t.Fatalf("paths are %v", paths)
	}
	for i := range want {
		if paths[i] != want[i] {
			t.Errorf("path %d is %s, want %s", i, paths[i], want[i])
		}
	}
}
