// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package cgroup keeps everything the cluster runs under one control group, in either version of the interface. What
// is in that group is the cluster's, so it is also the record by which everything is found again and ended.
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// A cgroup's files are the kernel's: the mode is ignored when a folder is made and needed when one is written.
	dirMode, fileMode = 0o755, 0o644
	killRetry         = 20 * time.Millisecond
	removePatience    = 10 * time.Second
)

// hierarchy is one mounted tree of groups.
type hierarchy struct {
	mountPoint string
	unified    bool
	cpuset     bool
}

// Tree is every hierarchy of the machine.
type Tree struct{ hierarchies []hierarchy }

// Open finds the machine's hierarchies.
func Open() (Tree, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Tree{}, err
	}
	defer func() { _ = file.Close() }()
	var tree Tree
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if found, ok := parseMount(lines.Text()); ok {
			tree.hierarchies = append(tree.hierarchies, found)
		}
	}
	return tree, lines.Err()
}

// parseMount reads a line of mountinfo: "36 35 98:0 / /mount/point options [fields...] - type source superoptions".
func parseMount(line string) (hierarchy, bool) {
	left, right, found := strings.Cut(line, " - ")
	before, after := strings.Fields(left), strings.Fields(right)
	if !found || len(before) < 5 || len(after) < 3 || before[3] != "/" {
		return hierarchy{}, false
	}
	options := strings.Split(after[2], ",")
	switch after[0] {
	case "cgroup":
		return hierarchy{mountPoint: before[4], cpuset: contains(options, "cpuset")}, true
	case "cgroup2":
		return hierarchy{mountPoint: before[4], unified: true}, true
	}
	return hierarchy{}, false
}

func contains(list []string, item string) bool {
	for _, each := range list {
		if each == item {
			return true
		}
	}
	return false
}

// Create makes a group and its parents in every hierarchy, ready to hold children that limit resources.
func (t Tree) Create(group string) error {
	for _, h := range t.hierarchies {
		dir := h.mountPoint
		for _, part := range strings.Split(strings.Trim(group, "/"), "/") {
			if err := h.delegate(dir); err != nil {
				return err
			}
			dir = filepath.Join(dir, part)
			if err := h.make(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate lets the children of a group use all of its controllers, which only the unified hierarchy asks for.
func (h hierarchy) delegate(dir string) error {
	if !h.unified {
		return nil
	}
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(controllers)) {
		control := filepath.Join(dir, "cgroup.subtree_control")
		//nolint:gosec // the path is a mount point that the kernel named and a constant
		if err := os.WriteFile(control, []byte("+"+controller), fileMode); err != nil {
			return fmt.Errorf("delegating %s: %w", controller, err)
		}
	}
	return nil
}

// make creates one group. A new cpuset is empty and takes no process before it is given its parent's.
func (h hierarchy) make(dir string) error {
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !h.cpuset {
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if err != nil {
			return err
		}
		//nolint:gosec // the path is a mount point that the kernel named and constants
		if err := os.WriteFile(filepath.Join(dir, file), value, fileMode); err != nil {
			return err
		}
	}
	return nil
}

// Join moves a process into a group, in every hierarchy.
func (t Tree) Join(group string, pid int) error {
	for _, h := range t.hierarchies {
		file := filepath.Join(h.mountPoint, group, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), fileMode); err != nil {
			return fmt.Errorf("joining %s: %w", group, err)
		}
	}
	return nil
}

// Processes lists what runs in a group and below it.
func (t Tree) Processes(group string) ([]int, error) {
	seen := map[int]bool{}
	var pids []int
	err := t.walk(group, func(dir string) error {
		content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return ignoreGone(err)
		}
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			if err != nil || seen[pid] {
				continue
			}
			seen[pid] = true
			pids = append(pids, pid)
		}
		return nil
	})
	return pids, err
}

// Kill ends everything in a group and below it, and returns how many processes it ended.
func (t Tree) Kill(group string, patience time.Duration) (int, error) {
	killed := map[int]bool{}
	for attempts := int(patience / killRetry); attempts > 0; attempts-- {
		pids, err := t.Processes(group)
		if err != nil || len(pids) == 0 {
			return len(killed), err
		}
		for _, pid := range pids {
			killed[pid] = true
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return len(killed), fmt.Errorf("ending process %d: %w", pid, err)
			}
		}
		time.Sleep(killRetry)
	}
	return len(killed), fmt.Errorf("processes of %s did not end in %s", group, patience)
}

// Remove removes a group and everything below it. It must be empty of processes.
func (t Tree) Remove(group string) error {
	var dirs []string
	if err := t.walk(group, func(dir string) error { dirs = append(dirs, dir); return nil }); err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := removeEmpty(dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// removeEmpty waits for the kernel, to which a group is busy until it has cleared away the last process.
func removeEmpty(dir string) error {
	for attempts := int(removePatience / killRetry); ; attempts-- {
		err := os.Remove(dir)
		if !errors.Is(err, unix.EBUSY) || attempts == 0 {
			return ignoreGone(err)
		}
		time.Sleep(killRetry)
	}
}

// Leftovers lists the folders of a group that still exist.
func (t Tree) Leftovers(group string) []string {
	var found []string
	for _, h := range t.hierarchies {
		dir := filepath.Join(h.mountPoint, group)
		if _, err := os.Stat(dir); err == nil {
			found = append(found, dir)
		}
	}
	return found
}

// walk visits the folders of a group in every hierarchy, parents first. Groups that vanish meanwhile are no error.
func (t Tree) walk(group string, visit func(dir string) error) error {
	for _, h := range t.hierarchies {
		root := filepath.Join(h.mountPoint, group)
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return ignoreGone(err)
			}
			if !entry.IsDir() {
				return nil
			}
			return visit(path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ignoreGone drops the two errors by which the kernel says that a group was removed.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
