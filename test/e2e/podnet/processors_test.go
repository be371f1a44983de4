// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podnet

import (
	"testing"
	"time"
)

func TestProcessorsWorkForEverybodyButWhileTheyAreIdleOrWait(t *testing.T) {
	got, err := parseStat("cpu  100 20 30 4000 500 6 7 800 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if want := (100 + 20 + 30 + 6 + 7 + 800) * 10 * time.Millisecond; err != nil || got != want {
		t.Errorf("want %s, got %s, %v", want, got, err)
	}
	for _, stat := range []string{"", "intr 1 2 3 4 5 6 7 8 9", "cpu 1 2", "cpu a b c d e f g h"} {
		if got, err := parseStat(stat); err == nil {
			t.Errorf("%q says %s", stat, got)
		}
	}
}

func TestTheTopmostControlGroupIsFoundInEitherVersion(t *testing.T) {
	const mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs none rw\n" +
		"33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup none rw,cpu,cpuacct\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n"
	const groups = "2:cpu,cpuacct:/first/node/system\n1:memory:/\n0::/second/node\n"
	for _, c := range []struct{ controller, kind, group, mount string }{
		{"cpuacct", "cgroup", "first", "/sys/fs/cgroup/cpu"},
		{"", "cgroup2", "second", "/sys/fs/cgroup/unified"},
		{"memory", "cgroup", "", ""},
	} {
		if got := topGroup(groups, c.controller); got != c.group {
			t.Errorf("%s: group %q, want %q", c.kind, got, c.group)
		}
		if got := mountOf(mounts, c.kind, c.controller); got != c.mount {
			t.Errorf("%s: mounted at %q, want %q", c.kind, got, c.mount)
		}
	}
}

func TestNobodysAccountIsTakenForNoWork(t *testing.T) {
	if got, err := groupTime("0::/no-such-group\n", ""); err == nil {
		t.Errorf("a group that is not there worked %s", got)
	}
}
