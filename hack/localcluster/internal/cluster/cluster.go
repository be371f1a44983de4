// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package cluster brings the local cluster up, mends it and takes it down.
package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/build"
	"github.com/chattenant/chattenant/hack/localcluster/internal/cgroup"
	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/parts"
	"github.com/chattenant/chattenant/hack/localcluster/internal/progress"
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// Cluster is the machine's one local cluster, running or not.
type Cluster struct {
	// Layout says where its files are.
	Layout state.Layout
	// Ports are its ports on the loopback interface.
	Ports parts.Ports
	// Source is the folder of this program's sources.
	Source string
	// Out receives the progress, Log what the commands behind it say.
	Out, Log io.Writer
	// Now is the clock.
	Now func() time.Time
}

// machines returns the machines by name.
func (c *Cluster) machines() (map[string]*machine.Machine, error) {
	tree, err := cgroup.Open()
	if err != nil {
		return nil, fmt.Errorf("finding control groups: %w", err)
	}
	machines := map[string]*machine.Machine{}
	for _, name := range topology.Machines() {
		machines[name] = machine.New(name, c.Layout.Machine(name), c.Layout.Log(name), tree)
	}
	return machines, nil
}

// Machine returns the machine called name.
func (c *Cluster) Machine(name string) (*machine.Machine, error) {
	machines, err := c.machines()
	if err != nil {
		return nil, err
	}
	if found := machines[name]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("there is no machine %q, only %v", name, topology.Machines())
}

// Kubernetes builds the components unless they are in the cache, and returns their folder.
func (c *Cluster) Kubernetes(ctx context.Context, report *progress.Reporter) (string, error) {
	return c.programs(ctx, report, "Kubernetes programs", build.Kubernetes())
}

// Addons builds what runs in Pods and in the outside unless it is in the cache, and returns its folder.
func (c *Cluster) Addons(ctx context.Context, report *progress.Reporter) (string, error) {
	return c.programs(ctx, report, "add-on programs", build.Addons())
}

func (c *Cluster) programs(
	ctx context.Context, report *progress.Reporter, step string, module build.Module,
) (dir string, err error) {
	builder := build.Builder{Source: filepath.Join(c.Source, "build"), Cache: c.Layout.Cache, Log: c.Log}
	return dir, report.Step(step, func() (string, error) {
		var built bool
		dir, built, err = builder.Build(ctx, module)
		return describe(built, "built", "cached"), err
	})
}

func describe(done bool, yes, no string) string {
	if done {
		return yes
	}
	return no
}

// ownImages are the images the cluster itself needs.
var ownImages = []string{"pause", "coredns", "cert-manager"}

// buildImages builds the cluster's own images, once for every content of what goes into them, and returns their folder.
func (c *Cluster) buildImages(
	ctx context.Context, programs parts.Programs,
) (dir string, built bool, err error) {
	source := filepath.Join(c.Source, "..", "images")
	digest, err := build.Digest(source, filepath.Base(programs.Addons))
	if err != nil {
		return "", false, fmt.Errorf("reading the sources of the images: %w", err)
	}
	dir = filepath.Join(c.Layout.Cache, "cluster-images", digest)
	if _, err := os.Stat(dir); err == nil {
		return dir, false, nil
	}
	unfinished := dir + ".unfinished"
	argv := append([]string{"-C", source, "run", ".", "--out", unfinished, "--programs", programs.Addons}, ownImages...)
	command := exec.CommandContext(ctx, "go", argv...)
	command.Stdout, command.Stderr = c.Log, c.Log
	if err := command.Run(); err != nil {
		return "", false, fmt.Errorf("building images: %w", err)
	}
	return dir, true, os.Rename(unfinished, dir)
}
