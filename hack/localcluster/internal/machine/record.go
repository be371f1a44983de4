// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const recordFile = "machine.json"

// Record identifies a started machine. A PID alone does not: after a reboot it belongs to somebody else.
type Record struct {
	// PID is the machine's first process, as the host numbers it.
	PID int
	// StartTicks is when that process started, in clock ticks since the host's boot.
	StartTicks uint64
	// BootID identifies the host's boot.
	BootID string
	// Digest is the started spec's.
	Digest string
}

// readRecord returns nil if the machine was never started.
func readRecord(dir string) (*Record, error) {
	content, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var record Record
	if err := json.Unmarshal(content, &record); err != nil {
		return nil, fmt.Errorf("reading %s: %w", recordFile, err)
	}
	return &record, nil
}

func (r Record) write(dir string) error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordFile), content, 0o600)
}

// alive says whether the very process that was recorded still runs.
func (r Record) alive() bool {
	boot, err := bootID()
	if err != nil || boot != r.BootID {
		return false
	}
	ticks, running := startTicks(r.PID)
	return running && ticks == r.StartTicks
}

func bootID() (string, error) {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(content)), err
}

// startTicks reads when a process started; running is false if there is none or only its exit status is left.
func startTicks(pid int) (ticks uint64, running bool) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	return parseStat(string(content))
}

// parseStat reads /proc/PID/stat. The name in parentheses may itself hold spaces and parentheses; after it come the
// state, field 3, and the start time, field 22.
func parseStat(stat string) (ticks uint64, running bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	return ticks, err == nil
}
