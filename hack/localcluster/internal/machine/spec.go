// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package machine runs a "machine" of the cluster: a process tree with network, mount, PID, host name and IPC
// namespaces of its own, sharing the host's file system except /run and /var. Its first process is this program; when
// that ends, the kernel ends everything in the machine and drops its links and mounts, so nothing can be left behind.
package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Folders of every machine.
const (
	// ClusterDir is the cluster's state folder.
	ClusterDir = "/run/cluster"
	// ProgramsDir is the folder of the programs built for the machine.
	ProgramsDir = "/run/programs"
	// ConfigDir is where the machine finds the files of its spec.
	ConfigDir = "/run/config"
)

// Spec is what a machine is made of. A running machine whose spec no longer matches is replaced.
type Spec struct {
	// Name is the host name.
	Name string
	// Cgroup is the group of the machine's own processes; Pods have theirs beside it.
	Cgroup string
	// State is the cluster's state folder on the host, mounted at ClusterDir.
	State string
	// Var is the folder below State that the machine has as /var.
	Var string
	// Programs is the folder on the host that is mounted at ProgramsDir.
	Programs string
	// Sysctls are settings of the machine's network, by path below /proc/sys.
	Sysctls map[string]string
	// Files are the configuration files of the processes by path below ConfigDir: a string is written as it is,
	// anything else as JSON.
	Files map[string]any
	// Setup holds commands that run, in order, once the network is wired and before any process.
	Setup [][]string
	// Listen holds addresses on the host. They are opened there and handed in, which is the only way in from the host.
	Listen []string
	// Processes are kept running.
	Processes []Process
}

// Process is one program of a machine.
type Process struct {
	// Name names the log file.
	Name string
	// Argv is the command line; its first element is a path.
	Argv []string
	// Env is added to the machine's environment.
	Env []string
	// WaitFor is an address, "tcp:host:port" or "unix:path", that must accept connections first. Empty: start at once.
	WaitFor string
	// Listeners hands the opened Listen addresses to the process, as file descriptors 3 and up.
	Listeners bool
}

// Digest identifies the content of the spec.
func (s Spec) Digest() (string, error) {
	content, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encoding the spec of %s: %w", s.Name, err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8]), nil
}
