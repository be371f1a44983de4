// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/hack/images/internal/oci"
)

// makeRoot makes a folder with one of each kind of file.
func makeRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "a", "b"), 0o750),
		os.WriteFile(filepath.Join(root, "a", "file"), []byte("content"), 0o600),
		os.Link(filepath.Join(root, "a", "file"), filepath.Join(root, "a", "second")),
		os.Symlink("/nowhere", filepath.Join(root, "link")),
		syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestReadKeepsLinksOwnersAndOrderAndLeavesDevicesOut(t *testing.T) {
	root := makeRoot(t)
	got, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	want := []oci.Entry{
		{Path: "a", Mode: fs.ModeDir | 0o750, UID: uid, GID: gid},
		{Path: "a/b", Mode: fs.ModeDir | 0o750, UID: uid, GID: gid},
		{Path: "a/file", Mode: 0o600, UID: uid, GID: gid, Source: filepath.Join(root, "a/file")},
		{Path: "a/second", Mode: 0o600, UID: uid, GID: gid, HardLink: "a/file"},
		{Path: "link", Mode: fs.ModeSymlink | 0o777, UID: uid, GID: gid, Link: "/nowhere"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
