//go:build cluster && lifecycle

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
	"github.com/chattenant/chattenant/hack/localcluster/internal/state"
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

// another makes the rest of the test act on a cluster of its own, beside the one that may be running.
func another(t *testing.T) {
	t.Helper()
	cache, ok := os.LookupEnv("XDG_CACHE_HOME")
	if !ok {
		cache = os.Getenv("HOME") + "/.cache"
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("CHATTENANT_STATE", t.TempDir()+"/state")
	t.Setenv("CHATTENANT_API_PORT", "16443")
	t.Setenv("CHATTENANT_HTTPS_PORT", "18443")
	usual := layout
	layout = state.FromEnvironment(os.Getenv)
	t.Cleanup(func() {
		_ = localcluster(context.WithoutCancel(t.Context()), "down").Run()
		layout = usual
	})
}

func TestLifecycle(t *testing.T) {
	another(t)
	t.Run("down leaves nothing", leavesNothing)
	run(t, "up")
	run(t, "load", postgresArchive(t))
	tree, err := cgroup.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("up mends everything", func(t *testing.T) { mends(t, tree, topology.Machines()...) })
	for _, name := range topology.Machines() {
		t.Run("up mends "+name, func(t *testing.T) { mends(t, tree, name) })
	}
	t.Run("a process that ends is started again", func(t *testing.T) { restarts(t, tree) })
}

// mends kills machines, lets the driver mend them and looks whether Pods on every node work again.
func mends(t *testing.T, tree cgroup.Tree, killed ...string) {
	for _, machine := range killed {
		killAll(t, tree, layout.Cgroup()+"/"+machine)
	}
	run(t, "up")
	ns := namespace(t, "lc-mended")
	for _, node := range topology.Nodes() {
		apply(t, pod(t, ns, node.Name, node.Region, "sleep infinity", nil))
	}
	for _, node := range topology.Nodes() {
		awaitReady(t, ns, node.Name)
		if !resolves(t.Context(), ns, node.Name) {
			t.Errorf("a Pod on %s has no DNS", node.Name)
		}
	}
}

// restarts kills a kubelet and waits, without the driver, until its node answers again.
func restarts(t *testing.T, tree cgroup.Tree) {
	node := topology.Nodes()[0].Name
	before := kubelet(t, tree, node)
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, func() error {
		_, err := kubectl(t.Context(), "", "get", "--raw", "/api/v1/nodes/"+node+"/proxy/healthz")
		return err
	})
	if after := kubelet(t, tree, node); after == before {
		t.Errorf("the kubelet is still process %d", after)
	}
}

// kubelet finds the process of a node's kubelet.
func kubelet(t *testing.T, tree cgroup.Tree, node string) int {
	t.Helper()
	pids, err := tree.Processes(layout.Cgroup() + "/" + node + "/system")
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); err == nil && string(name) == "kubelet\n" {
			return pid
		}
	}
	t.Fatalf("%s runs no kubelet", node)
	return 0
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
			// The lock of another cluster comes and goes.
			if entry.Name() != "chattenant-local.lock" {
				names = append(names, entry.Name())
			}
		}
		facts[dir] = strings.Join(names, " ")
	}
	return facts
}

// leavesNothing brings the cluster up from nothing, uses it, takes it down and looks at what is left.
func leavesNothing(t *testing.T) {
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
	pids, err := tree.Processes(layout.Cgroup())
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
