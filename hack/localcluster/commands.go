// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cluster"
	"github.com/chattenant/chattenant/hack/localcluster/internal/outside"
	"github.com/chattenant/chattenant/hack/localcluster/internal/progress"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// commands are what a user may ask for.
func commands() []command {
	return []command{
		{name: "up", help: "start the cluster, or mend what is down", run: up, changes: true},
		{name: "down", help: "end and remove it; the cache of programs and images stays", run: down, changes: true},
		{name: "load", help: "FILE.tar ...: import images into both nodes", run: load, changes: true},
		{name: "status", help: "say what runs", run: status},
		{name: "kubeconfig", help: "print the path of the administrator's kubeconfig", run: kubeconfig},
		{name: "audit-log", help: "print the path of the API server's audit log", run: auditLog},
		{name: "outside", help: "print, as JSON, what Pods could reach outside if no policy forbade it", run: facts},
		{name: "binaries", help: "build kubectl, kube-apiserver, etcd and the others, and start nothing", run: binaries},
		{name: "bin", help: "print the folder of kubectl, kube-apiserver and etcd", run: bin},
		{name: "addons", help: "print the folder of cert-manager, CoreDNS and their definitions", run: addons},
		{name: "exec", help: "MACHINE COMMAND ...: run a command inside a machine", run: execute},
	}
}

func up(ctx context.Context, c *cluster.Cluster, _ []string) error { return c.Up(ctx) }

func down(ctx context.Context, c *cluster.Cluster, _ []string) error { return c.Down(ctx) }

func status(_ context.Context, c *cluster.Cluster, _ []string) error { return c.Status() }

func load(ctx context.Context, c *cluster.Cluster, archives []string) error {
	if len(archives) == 0 {
		return errors.New("name the archives to load")
	}
	return c.Load(ctx, archives)
}

func kubeconfig(_ context.Context, c *cluster.Cluster, _ []string) error {
	fmt.Println(c.Layout.AdminKubeconfig())
	return nil
}

func auditLog(_ context.Context, c *cluster.Cluster, _ []string) error {
	fmt.Println(c.Layout.AuditLog())
	return nil
}

func facts(_ context.Context, c *cluster.Cluster, _ []string) error {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(outside.Describe(
		filepath.Join(c.Layout.PKI(), "outside-ca.crt"), filepath.Join(c.Layout.Log(topology.Outside), "dns.log")))
}

func binaries(ctx context.Context, c *cluster.Cluster, _ []string) error {
	_, err := c.Kubernetes(ctx, progress.New(c.Out, c.Now))
	return err
}

// bin prints nothing but the folder, for scripts; what has to be built first is reported on standard error.
func bin(ctx context.Context, c *cluster.Cluster, _ []string) error {
	return printFolder(c.Kubernetes(ctx, progress.New(os.Stderr, c.Now)))
}

func addons(ctx context.Context, c *cluster.Cluster, _ []string) error {
	return printFolder(c.Addons(ctx, progress.New(os.Stderr, c.Now)))
}

func printFolder(dir string, err error) error {
	if err == nil {
		fmt.Println(dir)
	}
	return err
}

// execute becomes the command, inside the machine.
func execute(ctx context.Context, c *cluster.Cluster, argv []string) error {
	if len(argv) < 2 {
		return fmt.Errorf("name one of %v and a command", topology.Machines())
	}
	machine, err := c.Machine(argv[0])
	if err != nil {
		return err
	}
	enter, err := machine.Command(ctx, argv[1:]...)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(enter.Path)
	if err != nil {
		return err
	}
	return unix.Exec(path, enter.Args, os.Environ())
}
