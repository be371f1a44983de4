// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package state knows where the cluster keeps its files, and lets one command at a time change them.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// Layout is the set of folders of the cluster.
type Layout struct {
	// Root holds the running cluster; removing the cluster removes it.
	Root string
	// Cache holds binaries and images; it outlives the cluster.
	Cache string
}

// defaultRoot is the state folder of the one cluster that most people have.
const defaultRoot = "/var/lib/chattenant-local"

// FromEnvironment returns the layout that CHATTENANT_STATE and XDG_CACHE_HOME ask for, or the default one.
func FromEnvironment(getenv func(string) string) Layout {
	root := getenv("CHATTENANT_STATE")
	if root == "" {
		root = defaultRoot
	}
	cache := getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(getenv("HOME"), ".cache")
	}
	return Layout{Root: root, Cache: filepath.Join(cache, "chattenant")}
}

// Name names what a cluster has outside of its folders: its control group and its lock. Clusters with different state
// folders, and different ports, do not disturb each other.
func (l Layout) Name() string {
	const name = "chattenant-local"
	if l.Root == defaultRoot {
		return name
	}
	sum := sha256.Sum256([]byte(l.Root))
	return name + "-" + hex.EncodeToString(sum[:4])
}

// Cgroup is the control group of everything the cluster runs, below every hierarchy's mount point.
func (l Layout) Cgroup() string { return "/" + l.Name() }

// AdminKubeconfig is the administrator's, which reaches the API server through the loopback interface.
func (l Layout) AdminKubeconfig() string { return filepath.Join(l.Root, "admin.kubeconfig") }

// PKI holds keys, certificates and the components' kubeconfigs.
func (l Layout) PKI() string { return filepath.Join(l.Root, "pki") }

// Log is a machine's log folder.
func (l Layout) Log(machine string) string { return filepath.Join(l.Root, "log", machine) }

// AuditLog is the API server's audit log, one JSON event per line.
func (l Layout) AuditLog() string { return filepath.Join(l.Log("control-plane"), "audit.log") }

// Machine holds one machine's own files.
func (l Layout) Machine(name string) string { return filepath.Join(l.Root, "machines", name) }

// Volumes holds the folders behind a node's local volumes, as seen from the host.
func (l Layout) Volumes(node string) string {
	return filepath.Join(l.Machine(node), "var", "lib", "volumes")
}

// Create makes the folders. Root is closed to others: it holds private keys.
func (l Layout) Create() error {
	for _, dir := range []string{l.Root, l.PKI(), l.Cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}
