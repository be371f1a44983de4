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
	"time"
)

// tick is the unit of /proc/stat, the same on every machine.
const tick = 10 * time.Millisecond

var errNoAccount = errors.New("nobody keeps account of the processors' time")

// ProcessorTime is how long the machine's processors have worked since its start, all together.
type ProcessorTime struct {
	// All is for anybody, and what a host of the machine took for others.
	All time.Duration
	// Cluster is for the nodes and everything that runs on them.
	Cluster time.Duration
}

// Processors reads the accounts of the machine's processors. The name is one of the cluster's nodes.
func Processors(node string) (ProcessorTime, error) {
	pid, err := nodeProcess(node)
	if err != nil {
		return ProcessorTime{}, err
	}
	all, err := parseStat(read("/proc", "stat"))
	if err != nil {
		return ProcessorTime{}, err
	}
	cluster, err := groupTime(read(procDir(pid), "cgroup"), read("/proc/self", "mountinfo"))
	return ProcessorTime{all, cluster}, err
}

// parseStat reads the first line of /proc/stat: "cpu user nice system idle iowait irq softirq steal ...". Guests' time
// is part of user and nice.
func parseStat(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, errNoAccount
	}
	var worked time.Duration
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the processors' account: %w", err)
		}
		if idle, waiting := 3, 4; i != idle && i != waiting {
			worked += time.Duration(ticks) * tick
		}
	}
	return worked, nil
}

// groupTime is the processor time of the topmost control group that a process is in, in either version.
func groupTime(groups, mounts string) (time.Duration, error) {
	const nanoseconds, microseconds = "cpuacct.usage", "cpu.stat"
	if group, mount := topGroup(groups, "cpuacct"), mountOf(mounts, "cgroup", "cpuacct"); group != "" && mount != "" {
		return parseTime(read(filepath.Join(mount, group), nanoseconds), time.Nanosecond)
	}
	group, mount := topGroup(groups, ""), mountOf(mounts, "cgroup2", "")
	text, err := os.ReadFile(filepath.Join(mount, group, microseconds))
	if group == "" || err != nil {
		return 0, errors.Join(errNoAccount, err)
	}
	usage, _, _ := strings.Cut(strings.TrimPrefix(string(text), "usage_usec "), "\n")
	return parseTime(usage, time.Microsecond)
}

func parseTime(text string, unit time.Duration) (time.Duration, error) {
	number, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, errors.Join(errNoAccount, err)
	}
	return time.Duration(number) * unit, nil
}

// topGroup reads /proc/PID/cgroup: "2:cpu,cpuacct:/cluster/node/system" a line, "0::/cluster/node" in version 2.
func topGroup(groups, controller string) string {
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), controller) {
			top, _, _ := strings.Cut(strings.TrimPrefix(parts[2], "/"), "/")
			return top
		}
	}
	return ""
}

// mountOf reads /proc/PID/mountinfo: "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup none rw,cpuacct".
func mountOf(mounts, kind, controller string) string {
	for line := range strings.Lines(mounts) {
		left, right, _ := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if len(before) > 4 && len(after) > 2 && after[0] == kind &&
			(controller == "" || slices.Contains(strings.Split(after[2], ","), controller)) {
			return before[4]
		}
	}
	return ""
}
