// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the kernel's process statistics, the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat, counted from the one after the command's name.
const (
	fieldParent       = 1
	fieldUser         = 11
	fieldSystem       = 12
	fieldChildUser    = 13
	fieldChildSystem  = 14
	leastFieldsOfStat = 15
)

// CPU is the processor time of the server with all its backends, those that have ended too.
func (s *Server) CPU() (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	var ticks int64
	for _, file := range stats {
		data, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			continue // It has just ended.
		}
		spent, err := s.ticksOf(filepath.Base(filepath.Dir(file)), string(data))
		if err != nil {
			return 0, err
		}
		ticks += spent
	}
	return time.Duration(ticks) * tick, nil
}

var errStat = errors.New("process statistics of an unknown form")

// ticksOf are a process's ticks if it is the server, whose count has those of ended backends, or a backend.
func (s *Server) ticksOf(pid, stat string) (int64, error) {
	// The command's name stands in parentheses and may hold anything.
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < leastFieldsOfStat {
		return 0, errStat
	}
	own := strconv.Itoa(s.pid)
	switch {
	case pid == own:
		return sum(fields[fieldUser], fields[fieldSystem], fields[fieldChildUser], fields[fieldChildSystem])
	case fields[fieldParent] == own:
		return sum(fields[fieldUser], fields[fieldSystem])
	}
	return 0, nil
}

func sum(fields ...string) (total int64, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errStat, err)
		}
		total += n
	}
	return total, nil
}
