// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cgroup"
	"github.com/chattenant/chattenant/hack/localcluster/internal/host"
	"github.com/chattenant/chattenant/hack/localcluster/internal/progress"
)

const (
	// killPatience is how long the kernel may take to end everything.
	killPatience = 30 * time.Second
	dialTimeout  = 200 * time.Millisecond
)

// Down ends everything the cluster runs, removes all of its state but the cache, and fails if something is left.
func (c *Cluster) Down(ctx context.Context) error {
	report := progress.New(c.Out, c.Now)
	tree, err := cgroup.Open()
	if err != nil {
		return fmt.Errorf("finding control groups: %w", err)
	}
	steps := []struct {
		name string
		work func() (string, error)
	}{
		{"processes", func() (string, error) {
			ended, err := tree.Kill(c.Layout.Cgroup(), killPatience)
			return fmt.Sprintf("ended %d", ended), err
		}},
		{"control groups", func() (string, error) { return "removed", tree.Remove(c.Layout.Cgroup()) }},
		{"host settings", func() (string, error) { return "given back", host.Restore(c.sysctlFile()) }},
		{"mounts", func() (string, error) { return "removed", unmountBelow(c.Layout.Root) }},
		{"state", func() (string, error) { return c.Layout.Root, os.RemoveAll(c.Layout.Root) }},
		{"verification", func() (string, error) { return "nothing is left", c.verifyGone(ctx, tree) }},
	}
	for _, step := range steps {
		if err := report.Step(step.name, step.work); err != nil {
			return err
		}
	}
	report.Done("The cluster is gone, its cache stays in " + c.Layout.Cache)
	return nil
}

// verifyGone looks for anything of the cluster.
func (c *Cluster) verifyGone(ctx context.Context, tree cgroup.Tree) error {
	var left []error
	pids, err := tree.Processes(c.Layout.Cgroup())
	if err != nil {
		return err
	}
	for _, pid := range pids {
		left = append(left, fmt.Errorf("process %d", pid))
	}
	for _, dir := range tree.Leftovers(c.Layout.Cgroup()) {
		left = append(left, fmt.Errorf("control group %s", dir))
	}
	mounts, err := mountsBelow(c.Layout.Root)
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		left = append(left, fmt.Errorf("mount %s", mount))
	}
	if _, err := os.Stat(c.Layout.Root); err == nil {
		left = append(left, fmt.Errorf("folder %s", c.Layout.Root))
	}
	for _, port := range []int{c.Ports.API, c.Ports.Ingress} {
		if answers(ctx, port) {
			left = append(left, fmt.Errorf("something listens on 127.0.0.1:%d", port))
		}
	}
	return errors.Join(left...)
}

func answers(ctx context.Context, port int) bool {
	dialer := net.Dialer{Timeout: dialTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

// unmountBelow removes mounts below a folder, the last first. The machines' mounts are theirs alone and end with them;
// this is for what somebody mounted by hand, through which removing the folder would reach.
func unmountBelow(root string) error {
	mounts, err := mountsBelow(root)
	if err != nil {
		return err
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if err := unix.Unmount(mounts[i], 0); err != nil {
			return fmt.Errorf("unmounting %s: %w", mounts[i], err)
		}
	}
	return nil
}

// mountsBelow lists the mount points below a folder in the order in which they were mounted.
func mountsBelow(root string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var found []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], root+"/") {
			found = append(found, fields[4])
		}
	}
	return found, lines.Err()
}
