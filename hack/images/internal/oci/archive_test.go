// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func image(t *testing.T) Image {
	t.Helper()
	layer, err := Layer([]Entry{
		{Path: "etc", Mode: fs.ModeDir | 0o755},
		{Path: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0::/:/bin/sh\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return Image{Tag: "chattenant.local/test:local", Config: v1.Config{User: "1:1"}, Layer: layer}
}

func TestTheSameContentMakesTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	var archives [2][]byte
	for i, name := range []string{"a.tar", "b.tar"} {
		if _, err := image(t).Write(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		archives[i] = content
	}
	if string(archives[0]) != string(archives[1]) {
		t.Error("two archives of one image differ")
	}
}

// read returns the files of an archive, and their names in order.
func read(t *testing.T, path string) (map[string][]byte, []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	files, names := map[string][]byte{}, []string{}
	archive := tar.NewReader(file)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, names
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = content
		names = append(names, header.Name)
	}
}

func TestAnArchiveIsAnOCILayoutWithTheImagesNameFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	digest, err := image(t).Write(path)
	if err != nil {
		t.Fatal(err)
	}
	files, names := read(t, path)
	if names[0] != "index.json" {
		t.Errorf("the archive begins with %s", names[0])
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	named := index.Manifests[0]
	if named.Digest != digest || named.Annotations[nameAnnotation] != "chattenant.local/test:local" {
		t.Errorf("the index names %v", named)
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(files["blobs/sha256/"+digest.Hex], &manifest); err != nil {
		t.Fatal(err)
	}
	for _, blob := range append(manifest.Layers, manifest.Config) {
		if files["blobs/sha256/"+blob.Digest.Hex] == nil {
			t.Errorf("blob %s is missing", blob.Digest)
		}
	}
}

func TestEveryBlobIsNamedByItsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	if _, err := image(t).Write(path); err != nil {
		t.Fatal(err)
	}
	files, _ := read(t, path)
	for name, content := range files {
		digest, isBlob := strings.CutPrefix(name, "blobs/sha256/")
		if sum := sha256.Sum256(content); isBlob && digest != hex.EncodeToString(sum[:]) {
			t.Errorf("%s holds something else", name)
		}
	}
}

func TestAnEntryKeepsItsKindOwnerAndPermissions(t *testing.T) {
	cases := map[string]struct {
		entry Entry
		want  tar.Header
	}{
		"a file": {
			Entry{Path: "f", Mode: 0o640, UID: 1, GID: 2},
			tar.Header{Name: "f", Typeflag: tar.TypeReg, Mode: 0o640, Uid: 1, Gid: 2},
		},
		"a sticky folder": {
			Entry{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		},
		"a setgid folder": {
			Entry{Path: "run", Mode: fs.ModeDir | fs.ModeSetgid | 0o775},
			tar.Header{Name: "run/", Typeflag: tar.TypeDir, Mode: 0o2775},
		},
		"a setuid program": {
			Entry{Path: "su", Mode: fs.ModeSetuid | 0o755},
			tar.Header{Name: "su", Typeflag: tar.TypeReg, Mode: 0o4755},
		},
		"a symbolic link": {
			Entry{Path: "l", Mode: fs.ModeSymlink | 0o777, Link: "f"},
			tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "f", Mode: 0o777},
		},
		"a hard link": {
			Entry{Path: "h", Mode: 0o644, HardLink: "f"},
			tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "f", Mode: 0o644},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := c.entry.header(0)
			if got.Name != c.want.Name || got.Typeflag != c.want.Typeflag || got.Linkname != c.want.Linkname ||
				got.Mode != c.want.Mode || got.Uid != c.want.Uid || got.Gid != c.want.Gid || !got.ModTime.IsZero() {
				t.Errorf("got %+v", got)
			}
		})
	}
}
