//go:build cluster

// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cgroup"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// run runs a command of the driver and returns its output.
func run(t *testing.T, argv ...string) string {
	t.Helper()
	output, err := localcluster(t.Context(), argv...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, output)
	}
	return string(output)
}

func onlyWhenAsked(t *testing.T) {
	t.Helper()
	if os.Getenv("CHATTENANT_TEST_LIFECYCLE") == "" {
		t.Skip("takes the cluster down: set CHATTENANT_TEST_LIFECYCLE=1")
	}
	t.Cleanup(func() { _ = localcluster(context.WithoutCancel(t.Context()), "up").Run() })
}

func TestUpMendsWhateverWasKilled(t *testing.T) {
	onlyWhenAsked(t)
	cases := map[string][]string{"everything": topology.Machines()}
	for _, name := range topology.Machines() {
		cases[name] = []string{name}
	}
	tree, err := cgroup.Open()
	if err != nil {
		t.Fatal(err)
	}
	for name, killed := range cases {
		t.Run(name, func(t *testing.T) {
			for _, machine := range killed {
				killAll(t, tree, cgroup.Root+"/"+machine)
			}
			run(t, "up")
			ns := namespace(t, "lc-mended")
			for _, node := range topology.Nodes() {
				apply(t, pod(t, ns, node.Name, node.Region, "sleep infinity", nil))
				awaitReady(t, ns, node.Name)
				if !resolves(t.Context(), ns, node.Name) {
					t.Errorf("a Pod on %s has no DNS", node.Name)
				}
			}
		})
	}
}

func killAll(t *testing.T, tree cgroup.Tree, group string) {
	t.Helper()
	pids, err := tree.Processes(group)
	if err != nil || len(pids) == 0 {
		t.Fatalf("%s runs %d processes, %v", group, len(pids), err)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// hostFacts is what a cluster could leave on the host: mounts, links, named namespaces, control groups, settings.
func hostFacts(t *testing.T) map[string]string {
	t.Helper()
	facts := map[string]string{}
	for _, path := range []string{
		"/proc/self/mountinfo", "/proc/net/dev_mcast", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/panic",
		"/proc/sys/fs/inotify/max_user_instances",
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		facts[path] = string(content)
	}
	for _, dir := range []string{"/run", "/run/netns", "/sys/class/net", "/run/containerd", "/var/lib", "/etc/cni"} {
		entries, _ := os.ReadDir(dir)
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		facts[dir] = strings.Join(names, " ")
	}
	return facts
}

func TestDownLeavesNothing(t *testing.T) {
	onlyWhenAsked(t)
	run(t, "down")
	before := hostFacts(t)
	run(t, "up")
	run(t, "load", postgresArchive(t))
	ns := namespace(t, "lc-down")
	for _, node := range topology.Nodes() {
		use := map[string]any{"emptyDir": map[string]string{"medium": "Memory"}}
		apply(t, pod(t, ns, node.Name, node.Region, "sleep infinity", use))
		awaitReady(t, ns, node.Name)
	}
	pids := containerPIDs(t)
	if output := run(t, "down"); !strings.Contains(output, "nothing is left") {
		t.Errorf("down said %s", output)
	}
	for path, was := range before {
		if is := hostFacts(t)[path]; is != was {
			t.Errorf("%s was\n%s\nand is\n%s", path, was, is)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d is left", pid)
		}
	}
	run(t, "down")
}

// containerPIDs are the processes of all machines and Pods.
func containerPIDs(t *testing.T) []int {
	t.Helper()
	tree, err := cgroup.Open()
	if err != nil {
		t.Fatal(err)
	}
	pids, err := tree.Processes(cgroup.Root)
	if err != nil || len(pids) < 20 {
		t.Fatalf("found %s processes, %v", strconv.Itoa(len(pids)), err)
	}
	return pids
}

// postgresArchive builds, or finds in the cache, the image that the tests' Pods run.
func postgresArchive(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command := localcluster(t.Context())
	command.Args = []string{"go", "run", ".", "--out", dir, "postgres"}
	command.Dir = "../../images"
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building the image: %v\n%s", err, output)
	}
	return dir + "/postgres.tar"
}
