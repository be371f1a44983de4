// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podnet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
)

// ErrNoProcess says that no process of that pod, container or node runs on this machine.
var ErrNoProcess = errors.New("no such process on this machine")

// SignalContainer sends a signal to the first process of a container: SIGKILL ends the whole container, like a crash,
// with no chance to say goodbye. The id is that of a pod's container status, for example containerd://0123abcd.
func SignalContainer(id string, signal unix.Signal) error {
	_, name, found := strings.Cut(id, "://")
	if !found || name == "" {
		return fmt.Errorf("container id %q has no runtime", id)
	}
	pids, err := processes(func(dir string) bool { return strings.Contains(read(dir, "cgroup"), name) })
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if firstOfNamespace(read(procDir(pid), "status")) {
			return unix.Kill(pid, signal)
		}
	}
	return fmt.Errorf("container %s: %w", name, ErrNoProcess)
}

// EndPrograms kills every process whose program lies in a folder, in whatever network namespace it runs.
func EndPrograms(folder string) error {
	pids, err := processes(func(dir string) bool {
		program, err := os.Readlink(filepath.Join(dir, "exe"))
		return err == nil && strings.HasPrefix(program, filepath.Clean(folder)+"/")
	})
	if err != nil {
		return err
	}
	var failures []error
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// Runs says whether a process of a pod has a command line that matches, also of a pod that the API server no longer
// knows.
func Runs(uid types.UID, matches func(argv []string) bool) (bool, error) {
	pids, err := processes(func(dir string) bool { return ofPod(dir, uid) && matches(argv(dir)) })
	return len(pids) > 0, err
}

// podProcess finds a process of a pod. It is in the pod's network namespace, whichever of the pod's containers it
// belongs to.
func podProcess(uid types.UID) (int, error) {
	pids, err := processes(func(dir string) bool { return ofPod(dir, uid) })
	return first(pids, err, fmt.Sprintf("pod %s", uid))
}

// ofPod says whether a process is in the control group of a pod, which carries the pod's UID. The systemd driver writes
// underscores, because a dash separates levels there.
func ofPod(dir string, uid types.UID) bool {
	cgroup := read(dir, "cgroup")
	return strings.Contains(cgroup, "pod"+string(uid)) ||
		strings.Contains(cgroup, "pod"+strings.ReplaceAll(string(uid), "-", "_"))
}

// nodeProcess finds the kubelet of a node, which runs in the node's own network namespace.
func nodeProcess(name string) (int, error) {
	pids, err := processes(func(dir string) bool {
		arguments := argv(dir)
		return filepath.Base(arguments[0]) == "kubelet" && slices.Contains(arguments, "--hostname-override="+name)
	})
	return first(pids, err, "kubelet of node "+name)
}

// outsideProcess finds the servers of the local cluster's outside, which is a network of its own.
func outsideProcess() (int, error) {
	pids, err := processes(func(dir string) bool {
		return slices.Contains(argv(dir), "outside-servers")
	})
	return first(pids, err, "servers of the outside")
}

func first(pids []int, err error, what string) (int, error) {
	if err != nil {
		return 0, err
	}
	if len(pids) == 0 {
		return 0, fmt.Errorf("%s: %w", what, ErrNoProcess)
	}
	return pids[0], nil
}

// processes lists the processes whose /proc directory matches. Those that end meanwhile read as empty and do not match.
func processes(matches func(dir string) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && matches(procDir(pid)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func procDir(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid)) }

// argv is a process's command line, with at least one element.
func argv(dir string) []string { return strings.Split(read(dir, "cmdline"), "\x00") }

func read(dir, file string) string {
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return ""
	}
	return string(content)
}

// firstOfNamespace says whether /proc/PID/status is that of process 1 of a PID namespace below ours.
func firstOfNamespace(status string) bool {
	for line := range strings.Lines(status) {
		ids, found := strings.CutPrefix(line, "NSpid:")
		if !found {
			continue
		}
		numbers := strings.Fields(ids)
		return len(numbers) > 1 && numbers[len(numbers)-1] == "1"
	}
	return false
}
