// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestParseMount(t *testing.T) {
	cases := map[string]struct {
		line  string
		want  hierarchy
		found bool
	}{
		"the first version": {
			"30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup none rw,memory",
			hierarchy{mountPoint: "/sys/fs/cgroup/memory"}, true,
		},
		"the first version's cpuset": {
			"30 25 0:26 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup none rw,cpuset",
			hierarchy{mountPoint: "/sys/fs/cgroup/cpuset", cpuset: true}, true,
		},
		"the second version": {
			"30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 none rw,nsdelegate",
			hierarchy{mountPoint: "/sys/fs/cgroup", unified: true}, true,
		},
		"a part of a hierarchy": {"30 25 0:26 /pod /sys/fs/cgroup/memory rw - cgroup none rw,memory", hierarchy{}, false},
		"another file system":   {"30 25 8:1 / /home rw - ext4 /dev/vda rw", hierarchy{}, false},
		"nonsense":              {"- -", hierarchy{}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, found := parseMount(c.line); got != c.want || found != c.found {
				t.Errorf("got %+v, %v", got, found)
			}
		})
	}
}

// fakeTree is made of ordinary folders, with the files the kernel would put there.
func fakeTree(t *testing.T) (Tree, string) {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "cpuset.cpus"), "0-1")
	write(t, filepath.Join(root, "cpuset.mems"), "0")
	return Tree{hierarchies: []hierarchy{{mountPoint: root, cpuset: true}}}, root
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestANewCpusetIsGivenItsParents(t *testing.T) {
	tree, root := fakeTree(t)
	for range 2 {
		if err := tree.Create("/cluster/eu-1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"cluster", "cluster/eu-1"} {
		if cpus, err := os.ReadFile(filepath.Join(root, dir, "cpuset.cpus")); err != nil || string(cpus) != "0-1" {
			t.Errorf("%s has %q, %v", dir, cpus, err)
		}
	}
}

func TestTheUnifiedHierarchyDelegatesToEveryParentAndNotToTheLeaf(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"", "cluster"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, dir, "cgroup.controllers"), "memory")
	}
	tree := Tree{hierarchies: []hierarchy{{mountPoint: root, unified: true}}}
	if err := tree.Create("/cluster/system"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "cluster"} {
		control, err := os.ReadFile(filepath.Join(root, dir, "cgroup.subtree_control"))
		if err != nil || string(control) != "+memory" {
			t.Errorf("%q delegates %q, %v", dir, control, err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "cluster/system/cgroup.subtree_control")); err == nil {
		t.Error("the leaf, which holds processes, delegates")
	}
}

func TestProcessesAreThoseOfAGroupAndBelowOnceEach(t *testing.T) {
	tree, root := fakeTree(t)
	if err := tree.Create("/cluster/eu-1/system"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "cluster/eu-1/cgroup.procs"), "7\n")
	write(t, filepath.Join(root, "cluster/eu-1/system/cgroup.procs"), "8\n7\n")
	pids, err := tree.Processes("/cluster")
	if err != nil || len(pids) != 2 {
		t.Errorf("processes are %v, %v", pids, err)
	}
	if pids, err := tree.Processes("/other"); err != nil || len(pids) != 0 {
		t.Errorf("a group that is not there has processes %v, %v", pids, err)
	}
}

func TestAGroupIsRemovedOnceItsLastProcessIsGone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("control groups need root")
	}
	tree, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	group := "/chattenant-test-" + strconv.Itoa(os.Getpid())
	if err := tree.Create(group + "/system"); err != nil {
		t.Fatal(err)
	}
	last := exec.CommandContext(context.Background(), "sleep", "60")
	if err := last.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = errors.Join(last.Process.Kill(), last.Wait())
		if err := tree.Remove(group); err != nil {
			t.Errorf("remove %s: %v", group, err)
		}
	})
	if err := tree.Join(group+"/system", last.Process.Pid); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = last.Process.Kill() })
	if err := tree.Remove(group); err != nil {
		t.Errorf("while its process ended: %v", err)
	}
	if left := tree.Leftovers(group); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
