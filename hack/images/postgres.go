// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/chattenant/chattenant/hack/images/internal/oci"
	"github.com/chattenant/chattenant/hack/images/internal/rootfs"
)

//go:embed postgres/rootfs.sh
var rootfsScript string

// Where Debian is fetched from if the machine's own package sources do not say.
const (
	defaultMirror   = "http://deb.debian.org/debian"
	defaultSecurity = "http://deb.debian.org/debian-security"
)

// postgres is PostgreSQL from Debian's packages, which are taken anew only when the recipe changes.
type postgres struct{}

func (postgres) key(context.Context, *builder) (string, error) {
	return hashOf([]byte(rootfsScript), []byte(runtime.GOARCH)), nil
}

func (postgres) build(ctx context.Context, b *builder) (oci.Image, error) {
	dir, err := os.MkdirTemp(b.cache, "postgres-")
	if err != nil {
		return oci.Image{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root := filepath.Join(dir, "rootfs")
	mirror, security := mirrors(ctx)
	command := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-s", root, mirror, security)
	command.Stdin = strings.NewReader(rootfsScript)
	output, err := command.CombinedOutput()
	if err != nil {
		return oci.Image{}, fmt.Errorf("making PostgreSQL's root file system: %w: %s", err, tail(output))
	}
	entries, err := rootfs.Read(root)
	if err != nil {
		return oci.Image{}, err
	}
	layer, err := oci.Layer(entries)
	return oci.Image{
		Config: v1.Config{
			User: "999:999", WorkingDir: "/",
			Env: []string{
				"PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PGDATA=/var/lib/postgresql/data",
			},
		},
		Layer: layer,
	}, err
}

// mirrors asks the machine's package manager where it gets bookworm from.
func mirrors(ctx context.Context) (debian, security string) {
	debian, security = defaultMirror, defaultSecurity
	output, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)",
		"Created-By: Packages").Output()
	var missing *exec.Error
	if errors.As(err, &missing) {
		return debian, security
	}
	for _, line := range strings.Split(string(output), "\n") {
		switch release, uri, _ := strings.Cut(line, " "); release {
		case "bookworm":
			debian = uri
		case "bookworm-security":
			security = uri
		}
	}
	return debian, security
}

// tail is the end of a command's output, where the reason for its failure is.
func tail(output []byte) []byte {
	const length = 2000
	return output[max(0, len(output)-length):]
}
