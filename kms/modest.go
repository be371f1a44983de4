// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit makes the collector work harder before the program takes more than it ever needs, in bytes.
const memoryLimit = 24 << 20

// modest makes the program the one to be ended where the container's memory is exceeded: the chat server asks again in
// a minute, but whoever talks to it would have to connect again.
func modest() {
	debug.SetMemoryLimit(memoryLimit)
	// A kernel that does not let it leaves things as they are.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}
