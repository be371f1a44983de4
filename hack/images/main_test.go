// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/hack/images/internal/oci"
)

func TestSelected(t *testing.T) {
	if names, err := selected(nil); err != nil || len(names) != len(recipes()) {
		t.Errorf("no name means %v, %v", names, err)
	}
	if names, err := selected([]string{"pause"}); err != nil || len(names) != 1 {
		t.Errorf("one name means %v, %v", names, err)
	}
	if _, err := selected([]string{"pause", "oops"}); err == nil || !strings.Contains(err.Error(), "operator") {
		t.Errorf("an unknown name is answered with %v", err)
	}
}

func testBuilder(t *testing.T) *builder {
	t.Helper()
	return &builder{out: t.TempDir(), cache: t.TempDir(), scratch: t.TempDir(), programs: t.TempDir(), now: time.Now}
}

func TestAnImageIsBuiltOnceForItsContentAndEarlierOnesAreForgotten(t *testing.T) {
	b := testBuilder(t)
	program := filepath.Join(b.programs, "coredns")
	references := map[string]bool{}
	for _, content := range []string{"one", "one", "two"} {
		if err := os.WriteFile(program, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := b.make(t.Context(), "coredns"); err != nil {
			t.Fatal(err)
		}
		reference, err := os.ReadFile(filepath.Join(b.out, "coredns.ref"))
		if err != nil || !strings.HasPrefix(string(reference), "chattenant.local/coredns@sha256:") {
			t.Fatalf("reference is %q, %v", reference, err)
		}
		references[string(reference)] = true
	}
	if len(references) != 2 {
		t.Errorf("two programs made images %v", references)
	}
	if cached, err := os.ReadDir(b.cache); err != nil || len(cached) != 2 {
		t.Errorf("the cache holds %v, %v", cached, err)
	}
}

func TestAProgramsImageIsRunByNobodyInParticular(t *testing.T) {
	b := testBuilder(t)
	if err := os.WriteFile(filepath.Join(b.programs, "coredns"), []byte("program"), 0o700); err != nil {
		t.Fatal(err)
	}
	image, err := builtProgram{file: "coredns"}.build(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if image.Config.User != "65532:65532" || image.Config.Entrypoint[0] != "/coredns" {
		t.Errorf("runs %v as %s", image.Config.Entrypoint, image.Config.User)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if _, err := (oci.Image{Tag: "a:b", Config: image.Config, Layer: image.Layer}).Write(path); err != nil {
		t.Error(err)
	}
}

func TestAChatServersImageHoldsTheProgramThatItRunsForKeysOfClouds(t *testing.T) {
	b := testBuilder(t)
	// Compiled before, as far as the builder can see.
	for _, name := range []string{"chatserver", "kms"} {
		if err := os.WriteFile(filepath.Join(b.scratch, name), []byte("program "+name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	image, err := recipes()["chatserver"].build(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if image.Config.Entrypoint[0] != "/chatserver" {
		t.Errorf("runs %v", image.Config.Entrypoint)
	}
	if mode := modes(t, image)["kms"]; mode != 0o755 {
		t.Errorf("/kms has mode %o", mode)
	}
	before, err := recipes()["chatserver"].key(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.scratch, "kms"), []byte("another program"), 0o700); err != nil {
		t.Fatal(err)
	}
	if after, err := recipes()["chatserver"].key(t.Context(), b); err != nil || after == before {
		t.Errorf("another program makes the same image: %v", err)
	}
}

// modes are those of the files in an image.
func modes(t *testing.T, image oci.Image) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for reader := tar.NewReader(bytes.NewReader(image.Layer)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out[header.Name] = header.Mode
	}
}
