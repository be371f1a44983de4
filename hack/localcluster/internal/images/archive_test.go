// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// archive writes a tar file with one entry.
func archive(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	out := tar.NewWriter(file)
	if err := out.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFindsNameAndDigest(t *testing.T) {
	path := archive(t, "index.json",
		`{"manifests":[{"digest":"sha256:abc","annotations":{"io.containerd.image.name":"chattenant.local/pause:local"}}]}`)
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Image{{Tag: "chattenant.local/pause:local", Digest: "sha256:abc"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if reference := got[0].Reference(); reference != "chattenant.local/pause@sha256:abc" {
		t.Errorf("reference is %s", reference)
	}
}

func TestReadSaysWhatIsWrongWithAnArchive(t *testing.T) {
	cases := map[string]struct{ file, content, want string }{
		"no index": {"manifest.json", "[]", "holds no index.json"},
		"no JSON":  {"index.json", "oops", "reading the index"},
		"no image": {"index.json", `{"manifests":[]}`, "holds no image"},
		"no name":  {"index.json", `{"manifests":[{"digest":"sha256:abc"}]}`, "has no name and tag"},
		"no tag": {
			"index.json",
			`{"manifests":[{"digest":"sha256:abc","annotations":{"io.containerd.image.name":"host:80/pause"}}]}`,
			"has no name and tag",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Read(archive(t, c.file, c.content))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}
