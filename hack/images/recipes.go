// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/chattenant/chattenant/hack/images/internal/oci"
)

// recipe makes an image. Two calls that return the same key would make the same image.
type recipe interface {
	key(ctx context.Context, b *builder) (string, error)
	build(ctx context.Context, b *builder) (oci.Image, error)
}

// recipes are all images by name.
func recipes() map[string]recipe {
	return map[string]recipe{
		"operator":     goPrograms{{"../..", "./cmd/operator", "operator"}},
		"chatserver":   goPrograms{{"../..", "./cmd/chatserver", "chatserver"}, {"../../kms", ".", "kms"}},
		"gateway":      goPrograms{{"../..", "./cmd/gateway", "gateway"}},
		"netprobe":     goPrograms{{"../..", "./test/netprobe", "netprobe"}},
		"pause":        goPrograms{{".", "./pause", "pause"}},
		"postgres":     postgres{},
		"cert-manager": builtProgram{file: "certmanager"},
		"coredns":      builtProgram{file: "coredns"},
	}
}

// nonroot is the user of every image with a program of ours, the same number as in distroless images.
const nonroot = 65532

// goPrograms is an image with statically linked Go programs and nothing else. The first is what it runs; the others are
// for that to run.
type goPrograms []goProgram

func (p goPrograms) key(ctx context.Context, b *builder) (string, error) {
	var keys [][]byte
	for _, program := range p {
		key, err := fileKey(program.compile(ctx, b))
		if err != nil {
			return "", err
		}
		keys = append(keys, []byte(key))
	}
	return hashOf(keys...), nil
}

func (p goPrograms) build(ctx context.Context, b *builder) (oci.Image, error) {
	var paths []string
	for _, program := range p {
		path, err := program.compile(ctx, b)
		if err != nil {
			return oci.Image{}, err
		}
		paths = append(paths, path)
	}
	return programImage(paths...)
}

// goProgram is the package of a module, and what the program is called.
type goProgram struct{ module, pkg, name string }

// compile builds the program, which takes a moment if nothing changed, and returns its path. Paths are not trimmed, so
// that the compiled packages are those which the tests use, too; the Dockerfile, which builds releases, trims them.
func (p goProgram) compile(ctx context.Context, b *builder) (string, error) {
	path := filepath.Join(b.scratch, p.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	command := exec.CommandContext(ctx, "go", "build", "-C", p.module, "-buildvcs=false", "-ldflags=-s -w",
		"-o", path, p.pkg)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w: %s", p.pkg, err, output)
	}
	return path, nil
}

// builtProgram is an image with a program that the local cluster built.
type builtProgram struct{ file string }

func (p builtProgram) key(ctx context.Context, b *builder) (string, error) {
	return fileKey(b.program(ctx, p.file))
}

func (p builtProgram) build(ctx context.Context, b *builder) (oci.Image, error) {
	path, err := b.program(ctx, p.file)
	if err != nil {
		return oci.Image{}, err
	}
	return programImage(path)
}

// programImage holds programs at the root, under their own names, and a user to run the first as.
func programImage(paths ...string) (oci.Image, error) {
	entries := []oci.Entry{
		{Path: "etc", Mode: os.ModeDir | 0o755},
		{Path: "etc/passwd", Mode: 0o644, Content: fmt.Appendf(nil,
			"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%d:nonroot:/:/sbin/nologin\n", nonroot, nonroot)},
		{Path: "etc/group", Mode: 0o644, Content: fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", nonroot)},
	}
	for _, path := range paths {
		entries = append(entries, oci.Entry{Path: filepath.Base(path), Mode: 0o755, Source: path})
	}
	layer, err := oci.Layer(entries)
	return oci.Image{
		Config: v1.Config{
			User: fmt.Sprintf("%d:%d", nonroot, nonroot), WorkingDir: "/",
			Entrypoint: []string{"/" + filepath.Base(paths[0])},
		},
		Layer: layer,
	}, err
}

// fileKey identifies a file's content.
func fileKey(path string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return hashOf(content), nil
}

func hashOf(parts ...[]byte) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write(fmt.Appendf(nil, "%d\n", len(part)))
		hash.Write(part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
