// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/chattenant/chattenant/hack/localcluster/internal/debian"
	"github.com/chattenant/chattenant/hack/localcluster/internal/images"
	"github.com/chattenant/chattenant/hack/localcluster/internal/kubeapi"
	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/network"
	"github.com/chattenant/chattenant/hack/localcluster/internal/parts"
	"github.com/chattenant/chattenant/hack/localcluster/internal/progress"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// Up makes the cluster run, whatever of it runs already. It is quick where there is nothing to do.
func (c *Cluster) Up(ctx context.Context) error {
	report := progress.New(c.Out, c.Now)
	if err := report.Step("Debian packages", func() (string, error) { return c.packages(ctx) }); err != nil {
		return err
	}
	programs, err := c.allPrograms(ctx, report)
	if err != nil {
		return err
	}
	var imageDir string
	var loading <-chan outcome
	steps := []struct {
		name string
		work func() (string, error)
	}{
		{"cluster images", func() (string, error) {
			dir, built, err := c.buildImages(ctx, programs)
			imageDir = dir
			return describe(built, "built", "cached"), err
		}},
		{"host", func() (string, error) { return c.prepareHost(ctx) }},
		{"machines", func() (string, error) {
			detail, err := c.startMachines(ctx, programs)
			if err == nil {
				// In the background: the nodes need it before their first Pod and nothing else waits for it.
				loading = c.loadOwn(ctx, imageDir)
			}
			return detail, err
		}},
		{"API server", func() (string, error) { return c.awaitAPI(ctx) }},
		{"manifests", func() (string, error) { return c.applyManifests(ctx, programs, imageDir) }},
		{"images", func() (string, error) { loaded := <-loading; return loaded.detail, loaded.err }},
		{"nodes", func() (string, error) { return c.awaitNodes(ctx) }},
		{"add-ons", func() (string, error) { return c.awaitAddons(ctx) }},
	}
	for _, step := range steps {
		if err := report.Step(step.name, step.work); err != nil {
			return err
		}
	}
	if err := c.prune(programs, imageDir); err != nil {
		return err
	}
	report.Done("The cluster is up: export KUBECONFIG=" + c.Layout.AdminKubeconfig())
	return nil
}

func (c *Cluster) allPrograms(
	ctx context.Context, report *progress.Reporter,
) (programs parts.Programs, err error) {
	if programs.Kubernetes, err = c.Kubernetes(ctx, report); err != nil {
		return programs, err
	}
	programs.Addons, err = c.Addons(ctx, report)
	return programs, err
}

func (c *Cluster) packages(ctx context.Context) (string, error) {
	missing := debian.Missing()
	if len(missing) == 0 {
		return "all there", nil
	}
	return "installed " + strings.Join(missing, " "), debian.Install(ctx, missing, c.Log)
}

// startMachines starts every machine that does not run as it should, and wires it.
func (c *Cluster) startMachines(ctx context.Context, programs parts.Programs) (string, error) {
	machines, err := c.machines()
	if err != nil {
		return "", err
	}
	var started []string
	for _, spec := range parts.Specs(c.Layout, programs, c.Ports) {
		isNew, err := machines[spec.Name].Ensure(ctx, spec)
		if errors.Is(err, syscall.EADDRINUSE) {
			return "", fmt.Errorf("choose another port with CHATTENANT_API_PORT or CHATTENANT_HTTPS_PORT: %w", err)
		}
		if err != nil {
			return "", err
		}
		if isNew {
			started = append(started, spec.Name)
		}
	}
	if err := wire(ctx, machines); err != nil {
		return "", err
	}
	if len(started) == 0 {
		return "all running", nil
	}
	return "started " + strings.Join(started, " "), nil
}

// wire connects the machines and lets those that are new begin.
func wire(ctx context.Context, machines map[string]*machine.Machine) error {
	pids := map[string]int{}
	for name, each := range machines {
		pid, err := each.PID()
		if err != nil {
			return err
		}
		if pid == 0 {
			return fmt.Errorf("%s ended at once, see its init.log", name)
		}
		pids[name] = pid
	}
	if err := network.Wire(ctx, pids); err != nil {
		return err
	}
	var failures []error
	for _, each := range machines {
		failures = append(failures, each.Wired())
	}
	return errors.Join(failures...)
}

// outcome is what a step in the background did.
type outcome struct {
	detail string
	err    error
}

// loadOwn imports the cluster's own images as soon as the nodes take them.
func (c *Cluster) loadOwn(ctx context.Context, dir string) <-chan outcome {
	var archives []string
	for _, name := range ownImages {
		archives = append(archives, filepath.Join(dir, name+".tar"))
	}
	done := make(chan outcome, 1)
	go func() {
		var result outcome
		result.err = c.awaitContainerd(ctx)
		if result.err == nil {
			result.detail, result.err = c.load(ctx, archives)
		}
		done <- result
	}()
	return done
}

// Load imports archives of images into every node.
func (c *Cluster) Load(ctx context.Context, archives []string) error {
	report := progress.New(c.Out, c.Now)
	for _, archive := range archives {
		load := func() (string, error) { return c.load(ctx, []string{archive}) }
		if err := report.Step(filepath.Base(archive), load); err != nil {
			return err
		}
	}
	return nil
}

// load imports archives into all nodes at once, and says what it did.
func (c *Cluster) load(ctx context.Context, archives []string) (string, error) {
	machines, err := c.machines()
	if err != nil {
		return "", err
	}
	nodes := topology.Nodes()
	loaded := make([]int, len(nodes))
	var group errgroup.Group
	for i, node := range nodes {
		group.Go(func() error {
			for _, archive := range archives {
				isNew, err := images.Load(ctx, machines[node.Name], archive)
				if err != nil {
					return err
				}
				if isNew {
					loaded[i]++
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	total := 0
	for _, count := range loaded {
		total += count
	}
	if total == 0 {
		return "all there", nil
	}
	return fmt.Sprintf("loaded %d", total), nil
}

// api connects as the administrator.
func (c *Cluster) api() (*kubeapi.Client, error) { return kubeapi.New(c.Layout.AdminKubeconfig()) }
