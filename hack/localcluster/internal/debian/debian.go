// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package debian installs what the cluster needs of the distribution and does not find.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
)

// tool is something that a package brings.
type tool struct {
	// path is a program's name, or an absolute path.
	path, pkg string
}

var tools = []tool{
	{"containerd", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{"/usr/lib/cni/bridge", "containernetworking-plugins"},
	{"iptables", "iptables"},
	{"ipset", "ipset"},
	{"conntrack", "conntrack"},
	{"socat", "socat"},
	{"debootstrap", "debootstrap"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
}

// policyFile, while it exists and says so, keeps packages from starting services.
const policyFile = "/usr/sbin/policy-rc.d"

// Missing returns the packages of the tools that are not there.
func Missing() []string {
	seen := map[string]bool{}
	var packages []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.path); err == nil || seen[tool.pkg] {
			continue
		}
		seen[tool.pkg] = true
		packages = append(packages, tool.pkg)
	}
	return packages
}

// Install installs packages. Their services stay off: the cluster starts its own containerd in each node.
func Install(ctx context.Context, packages []string, log io.Writer) error {
	restore, err := denyServices()
	if err != nil {
		return err
	}
	install := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	for _, argv := range [][]string{{"update"}, install} {
		command := exec.CommandContext(ctx, "apt-get", argv...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		command.Stdout, command.Stderr = log, log
		if err := command.Run(); err != nil {
			return errors.Join(fmt.Errorf("apt-get %s: %w", argv[0], err), restore())
		}
	}
	return errors.Join(disable(ctx, packages), restore())
}

// denyServices keeps packages from starting services until restore is called. A policy that is there already is the
// machine's and stays.
func denyServices() (restore func() error, err error) {
	if _, err := os.Stat(policyFile); !errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, err
	}
	if err := os.WriteFile(policyFile, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, err
	}
	return func() error { return os.Remove(policyFile) }, nil
}

func hasSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// disable keeps a newly installed containerd from starting at the next boot, where there is a systemd to start it.
func disable(ctx context.Context, packages []string) error {
	if !hasSystemd() {
		return nil
	}
	for _, each := range packages {
		if each != "containerd" {
			continue
		}
		disable := exec.CommandContext(ctx, "systemctl", "disable", "containerd.service")
		if output, err := disable.CombinedOutput(); err != nil {
			return fmt.Errorf("disabling containerd.service: %w: %s", err, output)
		}
	}
	return nil
}
