// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package build builds the cluster's programs, once for every content of their modules.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// kubernetesVersion is linked into the components, which report it.
const kubernetesVersion = "v1.36.3"

// Module is a Go module of programs, and how to finish its build.
type Module struct {
	name    string
	ldflags string
	// links are further names of the program "kube".
	links []string
	// finish adds files that are no programs.
	finish func(ctx context.Context, module, out string) error
}

// Kubernetes are the components and kubectl.
func Kubernetes() Module {
	version := "-X k8s.io/component-base/version."
	return Module{
		name: "kubernetes",
		ldflags: "-s -w " + version + "gitVersion=" + kubernetesVersion + " " + version + "gitMajor=1 " +
			version + "gitMinor=36",
		links: []string{
			"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet",
		},
	}
}

// Addons are the programs that run in Pods, and their CustomResourceDefinitions.
func Addons() Module { return Module{name: "addons", ldflags: "-s -w", finish: collectCRDs} }

// CRDFile is the file of the add-ons' CustomResourceDefinitions.
const CRDFile = "crds.yaml"

// Builder builds modules from source folders into a cache.
type Builder struct {
	// Source is the folder of the modules, Cache the folder of the results.
	Source, Cache string
	// Log receives the output of the compiler.
	Log io.Writer
}

// Build returns the folder of a module's programs, and whether they had to be built.
func (b Builder) Build(ctx context.Context, module Module) (dir string, built bool, err error) {
	source := filepath.Join(b.Source, module.name)
	digest, err := Digest(source, module.ldflags, runtime.Version(), runtime.GOARCH)
	if err != nil {
		return "", false, fmt.Errorf("reading the sources of %s: %w", module.name, err)
	}
	dir = filepath.Join(b.Cache, "programs", module.name+"-"+digest)
	if exists(dir) {
		return dir, false, nil
	}
	unlock, err := b.lock()
	if err != nil {
		return "", false, err
	}
	defer unlock()
	if exists(dir) {
		return dir, false, nil
	}
	return dir, true, b.build(ctx, module, source, dir)
}

func exists(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// lock waits until nobody else builds: two heavy builds at once help nobody.
func (b Builder) lock() (unlock func(), err error) {
	programs := filepath.Join(b.Cache, "programs")
	if err := os.MkdirAll(programs, 0o755); err != nil {
		return nil, err
	}
	folder, err := os.Open(programs)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for another build: %w", err), folder.Close())
	}
	return func() { _ = folder.Close() }, nil
}

// build makes the folder at once or not at all: what is interrupted leaves nothing that looks complete.
func (b Builder) build(ctx context.Context, module Module, source, dir string) error {
	unfinished := filepath.Join(filepath.Dir(dir), "unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o755); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }()
	if err := b.compile(ctx, module, source, unfinished); err != nil {
		return err
	}
	for _, link := range module.links {
		if err := os.Symlink("kube", filepath.Join(unfinished, link)); err != nil {
			return err
		}
	}
	if module.finish != nil {
		if err := module.finish(ctx, source, unfinished); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, dir)
}

func (b Builder) compile(ctx context.Context, module Module, source, out string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", module.ldflags,
		"-o", out+string(filepath.Separator), "./...")
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	command.Stdout, command.Stderr = b.Log, b.Log
	if err := command.Run(); err != nil {
		return fmt.Errorf("building %s: %w", module.name, err)
	}
	return nil
}

// Digest identifies the content of a folder's Go files and of further strings that decide about the result.
func Digest(source string, further ...string) (string, error) {
	hash := sha256.New()
	files := os.DirFS(source)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSource(entry.Name()) {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(hash, "%q", further); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)[:6]), nil
}

func isSource(name string) bool {
	return name == "go.mod" || name == "go.sum" ||
		strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

// collectCRDs copies cert-manager's definitions out of the module they are published in.
func collectCRDs(ctx context.Context, module, out string) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")
	list.Dir = module
	found, err := list.Output()
	if err != nil {
		return fmt.Errorf("finding cert-manager's definitions: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(found)), "deploy", "crds", "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cert-manager's module holds no definitions: %w", err)
	}
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "---\n%s\n", content)
	}
	return os.WriteFile(filepath.Join(out, CRDFile), []byte(all.String()), 0o644)
}
